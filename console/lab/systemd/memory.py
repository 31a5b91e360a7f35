"""A machine's memory: a true limit by its control group, and a /proc/meminfo that tells of it."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from console.errors import GamedayError

_TREE = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Groups:
    """The control groups of one machine: one for its systemd, and one that limits its memory, where they are apart."""

    name: str

    @classmethod
    def of(cls, lab_id: str, machine: str) -> Groups:
        """Those of that lab's machine."""
        return cls(f"gameday-{lab_id}-{machine}")

    @property
    def unified(self) -> bool:
        """Whether this host has one tree of control groups for all (v2)."""
        return (_TREE / "cgroup.controllers").exists()

    @property
    def all(self) -> list[Path]:
        """Every group that the machine's first process joins."""
        if self.unified:
            return [_TREE / self.name]
        trees = [_TREE / tree for tree in ("systemd", "unified", "memory")]
        return [tree / self.name for tree in trees if (tree / "cgroup.procs").exists()]

    @property
    def memory(self) -> Path:
        """The group that limits its memory."""
        return (_TREE if self.unified else _TREE / "memory") / self.name

    def make(self, limit_bytes: int) -> None:
        """Make them, with that limit.

        Raises:
            GamedayError: this host has no memory control groups.
        """
        if self.unified:
            with contextlib.suppress(OSError):  # it may be there already; whether it is, shows below
                (_TREE / "cgroup.subtree_control").write_text("+memory")
        for group in self.all:
            group.mkdir(exist_ok=True)
        try:
            name = "memory.max" if self.unified else "memory.limit_in_bytes"
            (self.memory / name).write_text(str(limit_bytes))
        except OSError as error:
            raise GamedayError(f"this host cannot limit a machine's memory: {error}") from error

    def meminfo(self, limit_bytes: int) -> bytes:
        """What the machine's /proc/meminfo says now."""
        used = int((self.memory / ("memory.current" if self.unified else "memory.usage_in_bytes")).read_text())
        stat = dict(line.split() for line in (self.memory / "memory.stat").read_text().splitlines())
        total = "" if self.unified else "total_"
        cache = int(stat["file" if self.unified else "total_cache"])
        idle_cache = int(stat[f"{total}inactive_file"]) + int(stat[f"{total}active_file"])
        values = {
            "MemTotal": limit_bytes,
            "MemFree": limit_bytes - used,
            "MemAvailable": min(limit_bytes, limit_bytes - used + idle_cache),
            "Buffers": 0,
            "Cached": cache,
            "SwapCached": 0,
            "SwapTotal": 0,
            "SwapFree": 0,
            "Shmem": int(stat["shmem" if self.unified else "total_shmem"]) if total + "shmem" in stat else 0,
        }
        # Each number as wide as any: the text is always of one length, so that no reader sees the end of an older one.
        return "".join(f"{key + ':':<16}{max(0, value) // 1024:>10} kB\n" for key, value in values.items()).encode()

    def remove(self, limit_s: float = 10.0) -> None:
        """Remove them, as soon as all that was in them is dead.

        Raises:
            GamedayError: something in them lives on.
        """
        deadline = time.monotonic() + limit_s
        for group in self.all:
            for path, _, _ in os.walk(group, topdown=False):
                while Path(path).exists():
                    try:
                        os.rmdir(path)
                    except OSError as error:
                        if time.monotonic() > deadline:
                            raise GamedayError(f"a machine of the lab does not die: {error}") from error
                        time.sleep(0.02)
