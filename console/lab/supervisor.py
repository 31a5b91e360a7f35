"""The supervisor of a node: its services by unit file, the systemctl shim's requests, a log of what happened."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Awaitable, Callable

from console.lab.layout import NodeLayout
from console.lab.managed_service import ManagedService
from console.lab.unit_file import UnitError, load_unit, signal_number

Reply = tuple[int, str]
"""Exit code of systemctl, and its message."""


class Supervisor:
    """Runs the services of one node like systemd does, without being pid 1."""

    def __init__(self, layout: NodeLayout, environment: dict[str, str]) -> None:
        self._layout = layout
        self._environment = environment
        self._services: dict[str, ManagedService] = {}
        self._buffer = b""
        self._control = -1
        self._tasks: set[asyncio.Task[None]] = set()
        self._events = (layout.log / "supervisor.jsonl").open("a", buffering=1)

    async def start(self) -> None:
        """Read the unit files, start every service, and listen to the systemctl shim."""
        _, message = self._reload()
        if message:
            self._write("unit-file", "", {"reason": message})
        for service in self._services.values():
            await service.start()
        os.mkfifo(self._layout.control, 0o600)
        # Open for writing too, so that it never comes to its end when a client goes.
        self._control = os.open(self._layout.control, os.O_RDWR | os.O_NONBLOCK)
        asyncio.get_running_loop().add_reader(self._control, self._on_request)

    async def shut_down(self, limit_s: float = 1.0) -> None:
        """End every service, by force after `limit_s`."""
        if self._control >= 0:
            asyncio.get_running_loop().remove_reader(self._control)
            os.close(self._control)
        await asyncio.gather(*(s.shut_down(limit_s) for s in self._services.values()), return_exceptions=True)
        self._events.close()

    def _log(self, event: str, service: ManagedService, details: dict[str, object]) -> None:
        self._write(event, service.unit.name, details)

    def _write(self, event: str, unit: str, details: dict[str, object]) -> None:
        line = {"event": event, "unit": unit, "monotonic_s": time.monotonic(), "time_s": time.time(), **details}
        self._events.write(json.dumps(line) + "\n")

    def _on_request(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._buffer += os.read(self._control, 65536)
        *requests, self._buffer = self._buffer.split(b"\n")
        for request in requests:
            fields = request.decode(errors="replace").split("\t")
            if len(fields) == 4:
                task = asyncio.create_task(self._answer(*fields))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _answer(self, reply_path: str, verb: str, argument: str, units: str) -> None:
        code, message = await self.request(verb, argument, units.split())
        # The client has the FIFO open for reading until it has an answer; ENXIO: it was killed meanwhile.
        with contextlib.suppress(OSError):
            reply = os.open(reply_path, os.O_WRONLY | os.O_NONBLOCK)
            os.write(reply, f"{code}\t{message}\n".encode())
            os.close(reply)

    async def request(self, verb: str, argument: str, units: list[str]) -> Reply:
        """Do what `systemctl VERB UNITS` asks; the worst exit code and all messages."""
        if verb == "daemon-reload":
            return self._reload()
        if verb == "reset-failed" and not units:
            units = list(self._services)
        replies = await asyncio.gather(*(self._one(verb, argument, unit) for unit in units))
        return max((code for code, _ in replies), default=0), "; ".join(text for _, text in replies if text)

    async def _one(self, verb: str, argument: str, name: str) -> Reply:
        service = self._services.get(name)
        if not service:
            return 5, f"Failed to {verb} {name}: Unit {name} not found."
        verbs: dict[str, Callable[[], Awaitable[Reply]]] = {
            "start": lambda: self._job(service.start, name),
            "restart": lambda: self._job(service.restart, name),
            "stop": lambda: self._stop(service),
            "kill": lambda: self._kill(service, argument),
            "reset-failed": lambda: self._reset_failed(service),
        }
        if verb not in verbs:
            return 1, f"Unknown command verb {verb}."
        return await verbs[verb]()

    async def _job(self, job: Callable[[], Awaitable[bool]], name: str) -> Reply:
        return (0, "") if await job() else (1, f"Job for {name} failed. See 'systemctl status {name}'.")

    async def _stop(self, service: ManagedService) -> Reply:
        await service.stop()
        return 0, ""

    async def _kill(self, service: ManagedService, text: str) -> Reply:
        try:
            number = signal_number(text or "TERM")
        except UnitError as error:
            return 1, f"Failed to parse signal string {text}: {error}"
        if not service.kill(number):
            return 1, f"Failed to kill unit {service.unit.name}: No process to kill"
        return 0, ""

    async def _reset_failed(self, service: ManagedService) -> Reply:
        service.reset_failed()
        return 0, ""

    def _reload(self) -> Reply:
        """Read the unit files again. Running services keep running; what is new counts from the next start on."""
        complaints = []
        files = {file.name: file for file in sorted(self._layout.units.glob("*.service"))}
        for name in [name for name, service in self._services.items() if name not in files and not service.pid]:
            del self._services[name]
            (self._layout.state / name).unlink(missing_ok=True)
        for name, file in files.items():
            try:
                unit = load_unit(file)
            except UnitError as error:
                complaints.append(str(error))
                continue
            if name in self._services:
                self._services[name].unit = unit
                self._services[name].publish()
            else:
                output = self._layout.log / f"{file.stem}.log"
                state = self._layout.state / name
                self._services[name] = ManagedService(unit, self._environment, state, output, self._log)
        return (1, "; ".join(complaints)) if complaints else (0, "")
