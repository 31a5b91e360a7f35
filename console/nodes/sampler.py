"""A node's numbers, once a second, over one persistent channel: a packet and a line each."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncGenerator, Sequence
from functools import lru_cache
from shlex import join

import msgspec

from console.errors import NodeUnreachable
from console.nodes import scripts
from console.nodes.ssh import SshNode

SERVICES_OLD_S = 10.0
DISK_OLD_S = 12.0
"""What was not seen anew for so long, in seconds, is not known any more; the node repeats it every 4 to 7 s."""
CPU_OVER_S = 0.5
"""The cpu's share is told over at least this long, in seconds: less is only a few of the kernel's ticks."""
PAUSE_S = 0.5
"""Before the program is started again, in seconds; the connection has its own backoff."""


class ServiceSample(msgspec.Struct, frozen=True):
    """What systemd says of a unit; None where it does not say."""

    active: str
    sub: str
    restarts: int | None
    pid: int | None
    invocation: str


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
    swap_used_bytes: int | None
    """Of all swap spaces together; a node without one has 0 of 0."""
    swap_total_bytes: int | None
    disks: dict[str, tuple[int, int]]
    """Mount point -> used and total bytes."""
    services: dict[str, ServiceSample]
    """By the inventory's name of the service."""


async def samples(node: SshNode, *, every_s: float = 1.0, lease_s: float = 10.0) -> AsyncGenerator[NodeSample, None]:
    """The node's samples for as long as they are asked for: one each `every_s`, and one when a service changed.

    The program on the node ends by itself `lease_s` after it last heard from here; a sign of life goes there with
    the first sample that comes a quarter of it after the last, so take them at once and ask for several in a lease.
    While the node is away there are none; `node.up` and `node.why` tell. Never raises for an unreachable node.
    """
    loop = asyncio.get_running_loop()
    while True:
        with contextlib.suppress(NodeUnreachable):
            program = _program(node, every_s, lease_s)
            stream = await node.stream("exec sh -s")
            # A program that says nothing for the lease is stuck or gone: then another is started.
            limit = loop.call_later(lease_s, stream.hang_up)
            try:
                await stream.write(program)
                reading = Reading(node.name, list(node.spec.services), node.spec.disks)
                due_s = 0.0
                async for line in stream:
                    sample = reading.take(line, time.time())
                    if sample is None:
                        continue
                    now_s = loop.time()
                    if now_s >= due_s:
                        due_s = now_s + lease_s / 4
                        limit.cancel()
                        limit = loop.call_later(lease_s, stream.hang_up)
                        await stream.write("\n")
                    yield sample
            finally:
                limit.cancel()
                await stream.close()
        await asyncio.sleep(PAUSE_S)


def _program(node: SshNode, every_s: float, lease_s: float) -> str:
    units = " ".join(service.unit for service in node.spec.services.values())
    quiet = max(2, math.ceil(lease_s / every_s))  # at one it would end before it could hear anything
    names = scripts.assignments({"UNITS": units, "EVERY_S": f"{every_s:g}", "QUIET": quiet})
    return scripts.whole(names, f"set -- {join(node.spec.disks)}", scripts.text("sampler.sh"))


class Reading:
    """Makes a sample of each line of the program, with what was last seen of services and disks."""

    def __init__(self, node: str, services: Sequence[str], disks: Sequence[str] = ()) -> None:
        self._node = node
        self._services_asked = services
        self._disks_asked = disks
        self._cpu: tuple[float, int, int] | None = None
        self._cpu_pct: float | None = None
        self._services: dict[str, tuple[float, ServiceSample]] = {}
        self._disks: dict[str, tuple[float, tuple[int, int]]] = {}

    def take(self, line: str, at_s: float) -> NodeSample | None:
        """The sample of a line that arrived at `at_s`; None for other programs' remarks."""
        kind, *rest = line.split("\t")
        if kind != "now" or len(rest) < 7:
            return None
        for news in rest[7:]:
            with contextlib.suppress(ValueError, IndexError):
                self._note(news, at_s)
        return self._sample(rest, at_s)

    def _note(self, news: str, at_s: float) -> None:
        kind, number, told = news.split(" ", 2)
        if kind == "disk":
            used, total = told.split()
            self._disks[self._disks_asked[int(number)]] = (at_s, (int(used) * 1024, int(total) * 1024))
        elif kind == "service":
            self._services[self._services_asked[int(number)]] = (at_s, _service(told))

    def _sample(self, rest: list[str], at_s: float) -> NodeSample:
        _, load, total, available, swap, swap_free, cpu = rest[:7]
        return NodeSample(
            node=self._node,
            at_s=at_s,
            cpu_pct=self._busy_pct(cpu, at_s),
            load_1m=_number(load),
            memory_used_bytes=_used_bytes(total, available),
            memory_total_bytes=_bytes(total),
            swap_used_bytes=_used_bytes(swap, swap_free),
            swap_total_bytes=_bytes(swap),
            disks={mount: space for mount, (seen_s, space) in self._disks.items() if at_s - seen_s < DISK_OLD_S},
            services={name: s for name, (seen_s, s) in self._services.items() if at_s - seen_s < SERVICES_OLD_S},
        )

    def _busy_pct(self, cpu: str, at_s: float) -> float | None:
        """Busy share since an earlier line: user nice system idle iowait irq softirq steal, in ticks (proc(5))."""
        before = self._cpu
        if before and at_s - before[0] < CPU_OVER_S:
            return self._cpu_pct
        ticks = [int(word) for word in cpu.split()[:8] if word.isdigit()]
        self._cpu = self._cpu_pct = None
        if len(ticks) >= 4:
            total, idle = sum(ticks), ticks[3] + sum(ticks[4:5])
            self._cpu = at_s, total, idle
            if before and total > before[1]:
                self._cpu_pct = round(100 * (1 - (idle - before[2]) / (total - before[1])), 1)
        return self._cpu_pct


@lru_cache(maxsize=256)
def _service(block: str) -> ServiceSample:
    facts = dict(part.partition("=")[::2] for part in block.strip("|").split("|"))
    restarts, pid = facts.get("NRestarts", ""), facts.get("MainPID", "")
    return ServiceSample(
        active=facts.get("ActiveState", "unknown"),
        sub=facts.get("SubState", "unknown"),
        restarts=int(restarts) if restarts.isdigit() else None,
        pid=int(pid) if pid.isdigit() and pid != "0" else None,
        invocation=facts.get("InvocationID", ""),
    )


def _bytes(kilobytes: str) -> int | None:
    return int(kilobytes) * 1024 if kilobytes.isdigit() else None


def _used_bytes(total: str, free: str) -> int | None:
    total_bytes, free_bytes = _bytes(total), _bytes(free)
    return None if total_bytes is None or free_bytes is None else total_bytes - free_bytes


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
