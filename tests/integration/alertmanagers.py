"""Alertmanagers for the tests: the real one as root on Linux, and everywhere a stand-in that speaks its API."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from console.lab.systemd.image import image
from console.probes.alertmanager import Alertmanager, NoAlerts
from tests.integration.listener import Listener

PEERS = ["stand-in", "real"] if sys.platform == "linux" and os.geteuid() == 0 else ["stand-in"]
"""As root on Linux the machines' image has the real program; the stand-in is tested everywhere, by the same rules."""


class Peer(Protocol):
    """What fires and clears."""

    @property
    def url(self) -> str:
        """Where it is asked."""

    async def post(self, name: str, *, firing: bool = True, **labels: str) -> None:
        """Tell it that the alert fires, or that it has ended just now."""

    async def silence(self, name: str) -> None:
        """Silence all alerts of that name."""

    async def stop(self) -> None:
        """Kill it."""

    async def start(self) -> None:
        """Start it, at the same port, without its memory."""


def stamp(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


class Real:
    """Debian's prometheus-alertmanager as a process of its own on the loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.began: dict[str, datetime] = {}

    async def start(self) -> None:
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        config = self.folder / "alertmanager.yml"
        config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
        # It finds its templates below /usr only: in a mount namespace of its own the image's are there.
        usr = await asyncio.to_thread(image) / "usr"
        within = f'mount -t overlay -o "lowerdir={usr}:/usr" overlay /usr && exec prometheus-alertmanager "$@"'
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    "unshare", "-m", "sh", "-c", within, "sh", f"--config.file={config}",
                    f"--storage.path={self.folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address=",
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(NoAlerts):
                    await Alertmanager(self.url).started()
                    return
                await asyncio.sleep(0.1)

    async def stop(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(self.process.wait)
            self.process = None

    async def post(self, name: str, *, firing: bool = True, **labels: str) -> None:
        now = datetime.now(UTC)
        began = self.began.setdefault(f"{name}{labels}", now)
        ends = now + timedelta(minutes=5) if firing else now
        alert = {"labels": {"alertname": name, **labels}, "startsAt": stamp(began), "endsAt": stamp(ends)}
        await self._send("/api/v2/alerts", [alert])

    async def silence(self, name: str) -> None:
        now = datetime.now(UTC)
        matcher = {"name": "alertname", "value": name, "isRegex": False, "isEqual": True}
        said = {"matchers": [matcher], "createdBy": "test", "comment": "test"}
        await self._send(
            "/api/v2/silences", {**said, "startsAt": stamp(now), "endsAt": stamp(now + timedelta(hours=1))}
        )

    async def _send(self, path: str, said: object) -> None:
        body = json.dumps(said).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = f"POST {path} HTTP/1.0\r\nHost: lab\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}\r\n".encode() + body)
        answer = await reader.read()
        writer.close()
        assert b" 200 " in answer.splitlines()[0], answer


@dataclass
class StandIn:
    """A stand-in: a small HTTP server that answers as Alertmanager's API v2 does, or as it is told."""

    port: int = field(default_factory=free_port)
    answers: bytes | None = None
    """When set, every question gets exactly this."""
    slow_s: float = 0.0
    asked: list[str] = field(default_factory=list)
    held: dict[str, dict[str, Any]] = field(default_factory=dict)
    silenced: set[str] = field(default_factory=set)
    began: str = ""
    listener: Listener | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self.held, self.began = {}, str(time.monotonic())
        self.listener = Listener(self._answer)
        await self.listener.start(self.port)

    async def stop(self) -> None:
        if self.listener:
            await self.listener.stop()

    async def post(self, name: str, *, firing: bool = True, **labels: str) -> None:
        key = f"{name}{sorted(labels.items())}"
        if not firing:
            self.held.pop(key, None)
        elif key not in self.held:
            said = {"alertname": name, **labels}
            self.held[key] = {"labels": said, "fingerprint": key, "startsAt": stamp(datetime.now(UTC))}

    async def silence(self, name: str) -> None:
        self.silenced.add(name)

    def _alert(self, alert: Mapping[str, Any]) -> dict[str, Any]:
        silent = alert["labels"]["alertname"] in self.silenced
        return {
            **alert,
            "status": {
                "state": "suppressed" if silent else "active",
                "silencedBy": ["s1"] if silent else [],
                "inhibitedBy": [],
            },
        }

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(self.slow_s)
        with contextlib.suppress(OSError):
            writer.write(self._said(head.split()[1].decode()))
            await writer.drain()

    def _said(self, where: str) -> bytes:
        self.asked.append(where)
        if self.answers is not None:
            return self.answers
        if where.startswith("/api/v2/status"):
            said: object = {"uptime": self.began, "versionInfo": {}}
        else:
            matcher = parse_qs(urlsplit(where).query).get("filter", [""])[0]
            name = matcher.removeprefix('alertname="').removesuffix('"')
            held = [alert for alert in self.held.values() if name in ("", alert["labels"]["alertname"])]
            said = [self._alert(alert) for alert in held]
        body = json.dumps(said).encode()
        return f"HTTP/1.0 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@contextlib.asynccontextmanager
async def peer(kind: str, folder: Path) -> AsyncIterator[Peer]:
    """A running Alertmanager of that kind."""
    made: Peer = Real(folder) if kind == "real" else StandIn()
    await made.start()
    try:
        yield made
    finally:
        await made.stop()
