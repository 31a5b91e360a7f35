"""Look at how full the file system of a path is."""

from __future__ import annotations

import shlex
import time

import msgspec

from console.errors import GamedayError, NodeUnreachable
from console.nodes.ssh import SshNode
from console.plan.probe import FilesystemProbe
from console.probes.base import Observation, PlainProber
from console.terms import Status

TIMEOUT_S = 5.0


class Room(msgspec.Struct, frozen=True):
    """A file system's blocks as `df` tells them, in bytes: what only root may take is neither used nor free."""

    used_bytes: int
    free_bytes: int

    @property
    def used_pct(self) -> float:
        """The share that is used of what ordinary users can use, in per cent."""
        return 100 * self.used_bytes / max(1, self.used_bytes + self.free_bytes)

    def __str__(self) -> str:
        return f"{self.used_pct:.0f} % used, {self.free_bytes / 1024**2:.0f} MB free"


class FilesystemProber(PlainProber):
    """Whether the use has risen since `start`, is at a level, or is back where it was."""

    def __init__(self, probe: FilesystemProbe, node: SshNode) -> None:
        self._probe = probe
        self._node = node
        self._before: Room | None = None

    async def start(self) -> None:
        """Remember the use.

        Raises:
            GamedayError: it cannot be told.
        """
        self._before = await self._look()

    async def check(self) -> Observation:
        """Look once."""
        began_s = time.time()
        try:
            room = await self._look()
        except GamedayError as error:
            return Observation(Status.UNKNOWN, str(error), time.time())
        at_s = time.time()
        if self._before is None:
            return Observation(Status.UNKNOWN, "the use before is not known", at_s)
        good = judge(self._probe, self._before, room)
        text = f"{self._probe.path}: {room}; {self._before.used_pct:.0f} % before"
        status = Status.PASS if good else Status.FAIL
        return Observation(status, text, at_s, max(0.0, at_s - began_s), {"used_pct": room.used_pct})

    async def _look(self) -> Room:
        done = await self._node.run(f"stat -f -c '%S %b %f %a' {shlex.quote(self._probe.path)}", timeout_s=TIMEOUT_S)
        if done.exit_status != 0:
            raise NodeUnreachable(f"{self._node.name}: {done.stderr.strip() or 'stat does not tell the space'}")
        return parse(done.stdout)


def judge(probe: FilesystemProbe, before: Room, now: Room) -> bool:
    """Whether that is what the probe waits for."""
    if probe.state == "risen":
        return now.used_pct >= before.used_pct + probe.points
    if probe.state == "at-level":
        return now.used_pct >= probe.percent
    return now.used_pct <= before.used_pct + probe.slack


def parse(text: str) -> Room:
    """What `stat -f` said: the size of a block, all blocks, the free ones, and those free for ordinary users.

    >>> parse("1024 1000 500 400\\n").used_pct
    55.55555555555556

    Raises:
        GamedayError: it is not that.
    """
    words = text.split()
    if len(words) != 4 or not all(word.isdigit() for word in words):
        raise GamedayError(f"stat does not tell the space: {text[:100]!r}")
    size, blocks, free, available = map(int, words)
    return Room(used_bytes=(blocks - free) * size, free_bytes=available * size)
