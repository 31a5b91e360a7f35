"""A real embedded lab for tests, soak and screenshots: the console's commands run against it as child processes."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from console.cli import main
from console.lab import embedded
from console.lab.layout import LabLayout
from console.lab.postgres import SUPERUSER
from console.plan.inventory import Inventory, load_inventory
from tests.forked import ForkedConsole

GAMEDAY = (sys.executable, "-m", "console")
"""The console as a child process; `gameday` itself may not be on PATH."""
OWN_ENV = ("GAMEDAY_STATE", "GAMEDAY_INVENTORY")
TELLING = tuple(f'{{"event":"{name}"' for name in ("abort", "concluded", "error", "finding", "note", "phase"))
"""How lines of events begin that say why a run ended as it did."""


@dataclass(frozen=True)
class Done:
    """How a command of the console ended."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """The JSON lines but the last."""
        return [json.loads(line) for line in self.out.splitlines()[:-1]]

    @property
    def result(self) -> dict[str, Any]:
        """The last JSON line: the result object."""
        last = self.out.splitlines()[-1] if self.out.strip() else "{}"
        parsed: dict[str, Any] = json.loads(last)
        return parsed

    def __str__(self) -> str:
        """The end of what it printed; of a run the events that tell how it ended stand last: reports are cut."""
        told = [line for line in self.out.splitlines() if line.startswith(TELLING)]
        return "\n".join([f"exit {self.code}", self.out[-2000:], self.err[-2000:], *(line[:600] for line in told[-8:])])


class Lab:
    """One lab in its own folder, with a state folder of its own for the console's runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.dir = root / "lab"
        self.state = root / "state"
        self.inventory_file = self.dir / "inventory.yaml"

    @cached_property
    def inventory(self) -> Inventory:
        """As the console reads it; a lab that is up keeps it."""
        return load_inventory(self.inventory_file)

    @property
    def env(self) -> dict[str, str]:
        """The environment of the console's commands."""
        return {**os.environ, "GAMEDAY_STATE": str(self.state), "GAMEDAY_INVENTORY": str(self.inventory_file)}

    def start(self, *args: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command of the console."""
        forks = sys.platform == "linux"
        return (ForkedConsole if forks else subprocess.Popen)(
            args if forks else [*GAMEDAY, *args],
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def gameday(self, *args: str, limit_s: float = 110.0) -> Done:
        """Run a command of the console to its end."""
        process = self.start(*args)
        try:
            out, err = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
        return Done(process.returncode, out, err)

    def inside(self, *args: str) -> Done:
        """A command of the console in this process: the same code, without the time to start."""
        told = CliRunner().invoke(main, list(args), env={name: self.env[name] for name in OWN_ENV})
        return Done(told.exit_code, told.stdout, told.stderr)

    def run(self, *args: str, limit_s: float = 110.0) -> Done:
        """`gameday run ... --attest all --json`."""
        return self.gameday("run", *args, "--attest", "all", "--json", limit_s=limit_s)

    def ssh_command(self, node: str, command: str) -> list[str]:
        """How to run a command on the node."""
        spec = self.inventory.nodes[node]
        options = ["-i", spec.identity, "-o", f"UserKnownHostsFile={spec.known_hosts}", "-o", "BatchMode=yes"]
        return ["ssh", *options, "-p", str(spec.port), f"{spec.user}@{spec.address}", command]

    def ssh(self, node: str, command: str) -> str:
        """What a command on the node prints; it must succeed."""
        told = self.ssh_command(node, command)
        done = subprocess.run(told, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr or done.stdout}"
        return done.stdout

    def show(self, node: str, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.ssh(node, f"systemctl show {unit} -p {name} --value").strip()

    def psql(self, sql: str) -> str:
        """What the query prints, unaligned."""
        return self._psql(sql, self.inventory.databases["federation"].user)

    def superuser(self, sql: str) -> str:
        """What the query prints when the database's superuser asks."""
        return self._psql(sql, SUPERUSER, f"PGPASSFILE={shlex.quote(str(LabLayout(self.dir).superuser_passfile))} ")

    def _psql(self, sql: str, role: str, environment: str = "") -> str:
        database = self.inventory.databases["federation"]
        line = [
            "psql",
            "-w",
            "-XAt",
            "-h",
            database.host,
            "-p",
            str(database.port),
            "-U",
            role,
            database.dbname,
            "-c",
            sql,
        ]
        return self.ssh("bluefin", environment + shlex.join(line)).strip()

    @contextmanager
    def unit(self, node: str, unit: str, **settings: str) -> Iterator[None]:
        """Change lines of a unit file's [Service] section for a while, as an administrator would."""
        file = self.dir / node / "units" / unit
        before = file.read_text()
        replaced = {key for key in settings if key != "Environment"}
        lines = [line for line in before.splitlines() if line.partition("=")[0] not in replaced]
        at = lines.index("[Install]")
        lines[at:at] = [f"{key}={value}" for key, value in settings.items()]
        file.write_text("\n".join(lines) + "\n")
        self.ssh(node, "systemctl daemon-reload")
        try:
            yield
        finally:
            file.write_text(before)
            self.ssh(node, "systemctl daemon-reload")
            self.ssh(node, f"systemctl reset-failed {unit}; systemctl restart {unit}")

    def log(self, node: str, name: str) -> list[dict[str, Any]]:
        """The JSON lines of one of the node's logs."""
        return [json.loads(line) for line in (self.dir / node / "log" / name).read_text().splitlines()]

    def marked(self, run: str = "") -> list[str]:
        """Living processes that carry a run's mark in their environment, as `pid command`."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                environ = (entry / "environ").read_bytes().split(b"\0")
                if not any(v.startswith(b"GAMEDAY_RUN=" + run.encode()) for v in environ):
                    continue
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if state != "Z" and str(self.root).encode() in b" ".join(environ):
                found.append(f"{entry.name} {command}")
        return found

    def start_gateway(self) -> None:
        """See that the gateway answers, however often it was killed of late."""
        self.ssh("redfin", "systemctl reset-failed llm-gateway; systemctl start llm-gateway")
        health = self.inventory.nodes["redfin"].services["llm-gateway"].health
        ask = f"curl -s -o /dev/null -w '%{{http_code}}' {health} || :"
        assert self.wait_until(lambda: self.ssh("redfin", ask).strip() == "200", 20, 0.5)

    def start_database(self) -> None:
        """Start the cluster, and wait until it answers: its unit is active before it does."""
        self.ssh("bluefin", "systemctl start postgresql")
        assert self.wait_until(self._database_answers, 30)

    def _database_answers(self) -> bool:
        try:
            return self.psql("select 1") == "1"
        except AssertionError:
            return False

    def wait_until(self, true: Any, limit_s: float, every_s: float = 0.1) -> bool:
        """Whether that came true in time; looked at so often, as what is looked at costs."""
        end_s = time.monotonic() + limit_s
        while time.monotonic() < end_s:
            if true():
                return True
            time.sleep(every_s)
        return bool(true())


@contextmanager
def lab_in(root: Path, *, lease_s: float = 3.0) -> Iterator[Lab]:
    """A lab that is up inside the block, and gone after it."""
    lab = Lab(root)
    embedded.up(lab.dir, lease_s=lease_s, lifeline=True)
    try:
        yield lab
    finally:
        embedded.down(lab.dir)
