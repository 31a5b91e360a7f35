"""A node's numbers, once a second, over one persistent channel."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from shlex import join

import msgspec

from console.errors import NodeUnreachable
from console.nodes import scripts
from console.nodes.ssh import SshNode, Stream

LEASE_S = 3.0
"""The program on the node ends by itself when it hears nothing for about this long, in seconds."""
SERVICES_OLD_S = 6.0
DISK_OLD_S = 12.0
"""What was not seen anew for so long, in seconds, is not known any more."""
PAUSE_S = 0.5
"""Before the program is started again, in seconds; the connection has its own backoff."""


class ServiceSample(msgspec.Struct, frozen=True):
    """What systemd says of a unit; None where it does not say."""

    active: str
    sub: str
    restarts: int | None
    pid: int | None
    invocation: str
    since_s: float | None
    """For how long it has been in this state, in seconds."""


class NodeSample(msgspec.Struct, frozen=True):
    """What was seen on a node at one moment; None or absent is unknown, never zero."""

    node: str
    at_s: float
    """The console's clock when it arrived, in seconds since the epoch."""
    cpu_pct: float | None
    """Busy time of all cores since the sample before, 0 to 100."""
    load_1m: float | None
    memory_used_bytes: int | None
    """Total less available, so without what the page cache can give back."""
    memory_total_bytes: int | None
    disks: dict[str, tuple[int, int]]
    """Mount point -> used and total bytes."""
    services: dict[str, ServiceSample]
    """By the inventory's name of the service."""


async def samples(node: SshNode, *, every_s: float = 1.0) -> AsyncGenerator[NodeSample, None]:
    """The node's samples for as long as they are asked for.

    While the node is away there are none; `node.up` and `node.why` tell. Never raises for an unreachable node.
    """
    while True:
        with contextlib.suppress(NodeUnreachable):
            program = _program(node)
            stream = await node.stream("exec sh -s")
            ticker: asyncio.Task[None] | None = None
            try:
                await stream.write(program)
                reading = Reading(node.name, list(node.spec.services))
                async for line in stream:
                    if line == "ready" and ticker is None:
                        ticker = asyncio.create_task(_tick(stream, every_s), name=f"sampler {node.name}")
                    sample = reading.take(line, time.time())
                    if sample:
                        yield sample
            finally:
                if ticker:
                    ticker.cancel()
                await stream.close()
        await asyncio.sleep(PAUSE_S)


def _program(node: SshNode) -> str:
    units = " ".join(service.unit for service in node.spec.services.values())
    names = scripts.assignments({"UNITS": units, "CHECK_S": f"{LEASE_S / 3:.2f}"})
    return scripts.whole(names, f"set -- {join(node.spec.disks)}", scripts.text("sampler.sh"))


async def _tick(stream: Stream, every_s: float) -> None:
    """Ask for a sample at an even pace; a tick is both the question and the sign of life."""
    due_s = time.monotonic()
    with contextlib.suppress(NodeUnreachable):
        while True:
            await stream.write("\n")
            due_s = max(due_s + every_s, time.monotonic())
            await asyncio.sleep(due_s - time.monotonic())


class Reading:
    """Puts the program's lines together: each `now` is a sample with what was last seen of services and disks."""

    def __init__(self, node: str, services: list[str]) -> None:
        self._node = node
        self._names = services
        self._cpu: tuple[int, int] | None = None
        self._uptime_s: float | None = None
        self._services: dict[str, tuple[float, ServiceSample]] = {}
        self._disks: dict[str, tuple[float, tuple[int, int]]] = {}

    def take(self, line: str, at_s: float) -> NodeSample | None:
        """Take in a line that arrived at `at_s`; a sample if it completes one. Other programs' remarks are skipped."""
        kind, *rest = line.split("\t")
        try:
            if kind == "now" and len(rest) == 5:
                return self._sample(rest, at_s)
            if kind == "disk" and len(rest) == 3:
                self._disks[rest[0]] = (at_s, (int(rest[1]) * 1024, int(rest[2]) * 1024))
            elif kind == "service" and len(rest) == 2:
                self._services[self._names[int(rest[0])]] = (at_s, self._service(rest[1]))
        except (ValueError, IndexError):
            return None
        return None

    def _sample(self, rest: list[str], at_s: float) -> NodeSample:
        uptime, load, total, available, cpu = rest
        self._uptime_s = _number(uptime)
        total_bytes, available_bytes = _bytes(total), _bytes(available)
        return NodeSample(
            node=self._node,
            at_s=at_s,
            cpu_pct=self._cpu_pct(cpu),
            load_1m=_number(load),
            memory_used_bytes=None if total_bytes is None or available_bytes is None else total_bytes - available_bytes,
            memory_total_bytes=total_bytes,
            disks={mount: space for mount, (seen_s, space) in self._disks.items() if at_s - seen_s < DISK_OLD_S},
            services={name: s for name, (seen_s, s) in self._services.items() if at_s - seen_s < SERVICES_OLD_S},
        )

    def _cpu_pct(self, cpu: str) -> float | None:
        """Busy share since the last line: user nice system idle iowait irq softirq steal, in ticks (proc(5))."""
        ticks = [int(word) for word in cpu.split()[:8] if word.isdigit()]
        if len(ticks) < 4:
            return None
        total, idle = sum(ticks), sum(ticks[3:5])
        before, self._cpu = self._cpu, (total, idle)
        if before is None or total <= before[0]:
            return None
        return round(100 * (1 - (idle - before[1]) / (total - before[0])), 1)

    def _service(self, block: str) -> ServiceSample:
        facts = dict(part.partition("=")[::2] for part in block.strip("|").split("|"))
        changed_us = _number(facts.get("StateChangeTimestampMonotonic", ""))
        since_s = self._uptime_s - changed_us / 1e6 if self._uptime_s and changed_us else None
        restarts, pid = _number(facts.get("NRestarts", "")), _number(facts.get("MainPID", ""))
        return ServiceSample(
            active=facts.get("ActiveState", "unknown"),
            sub=facts.get("SubState", "unknown"),
            restarts=None if restarts is None else int(restarts),
            pid=int(pid) if pid else None,
            invocation=facts.get("InvocationID", ""),
            since_s=max(0.0, since_s) if since_s is not None else None,
        )


def _bytes(kilobytes: str) -> int | None:
    return int(kilobytes) * 1024 if kilobytes.isdigit() else None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
