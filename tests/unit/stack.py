"""One program of the example application as a process of its own, its folder on a small disk that only it sees."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DISK_MB = 4
LIMIT_S = 20.0
ENVIRONMENT = {
    "STACK_HOST": "127.0.0.1",
    **dict.fromkeys(("STACK_PORT", "STACK_BUS_PORT", "STACK_UPSTREAM_PORT"), "0"),
}
COMMAND = [sys.executable, "-m", "console.lab.services.stack"]
_ON_A_DISK = 'mount -t tmpfs -o "size=$1m" gameday "$2"; shift 2; exec "$@"'


@dataclass(frozen=True)
class Answered:
    status: int
    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body)


@dataclass
class Program:
    """`folder` is where its records are, if it keeps any."""

    process: subprocess.Popen[str]
    port: int
    folder: Path

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] = {},
        limit_s: float = LIMIT_S,
    ) -> Answered:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=limit_s)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return Answered(answer.status, answer.read())
        finally:
            connection.close()

    def put(self, key: str, value: bytes, limit_s: float = LIMIT_S) -> Answered:
        return self.ask("PUT", f"/records/{key}", value, limit_s=limit_s)

    def get(self, key: str) -> Answered:
        return self.ask("GET", f"/records/{key}")

    def health(self) -> tuple[int, str]:
        answered = self.ask("GET", "/health")
        return answered.status, answered.content["status"]

    def metrics(self) -> dict[str, float]:
        lines = self.ask("GET", "/metrics").body.decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    def fill(self, leave: int = 0) -> None:
        """Leave so many bytes of its disk."""
        with self.seen("fill").open("wb", buffering=0) as filler, suppress(OSError):
            while filler.write(bytes(4096)):
                pass
        os.truncate(self.seen("fill"), self.seen("fill").stat().st_size - leave)

    def seen(self, name: str) -> Path:
        """A file of its folder, by a path that leads to its disk."""
        return Path(f"/proc/{self.process.pid}/root{self.folder}/{name}")

    def mounts(self, script: str) -> None:
        """Run that with $1 as its folder, where its disk is."""
        enter = ["nsenter", "-t", str(self.process.pid), "-U", "-m", "--preserve-credentials"]
        words = [*enter, "sh", "-euc", script, "sh", str(self.folder)]
        subprocess.run(words, check=True, capture_output=True, timeout=LIMIT_S)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def running(
    name: str, folder: Path, *, disk: bool = False, fsize: int = 0, environment: Mapping[str, str] = {}
) -> Iterator[Program]:
    """That program, until the end; `disk`: on a small disk; `fsize`: no file of it grows beyond that, in bytes."""
    folder.mkdir(exist_ok=True)
    words = [*COMMAND, name]
    if disk:
        words = ["unshare", "-Urm", "sh", "-euc", _ON_A_DISK, "sh", str(DISK_MB), str(folder), *words]
    if fsize:
        words = ["prlimit", f"--fsize={fsize}", *words]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=variables(folder, environment)) as process:
        try:
            assert process.stdout
            port = 0
            while not port:
                line = process.stdout.readline()
                assert line, "it ended before it listened"
                port = int(line.split()[-1]) if " on port " in line else 0
            yield Program(process, port, folder)
        finally:
            process.kill()


def variables(folder: Path, more: Mapping[str, str] = {}) -> dict[str, str]:
    """The environment of a program whose records are in that folder."""
    places = {"SIGIL_DB_PATH": str(folder), "LIGHTNING_DB_PATH": str(folder)}
    return {**os.environ, **ENVIRONMENT, **places, **more}


def opened_again(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a second sigil says of that folder."""
    command = [*COMMAND, "store", *words]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=LIMIT_S, env=variables(folder, environment)
    )
