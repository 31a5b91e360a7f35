"""Fill a file system up to a level, and leave a reserve."""

from __future__ import annotations

import re
import shlex
from typing import Annotated, ClassVar

import msgspec

from console.faults import shell
from console.faults.base import Held, Scripts, Target
from console.faults.disk_fill_sh import CLEAN, EFFECT, INJECT, LEVEL, PLACE, PREFLIGHT, RAILS, REVERT
from console.faults.file_system import APART, STACK
from console.faults.memory import MB, memory
from console.terms import Risk

Size = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,6} ?[MGT]B$", description="a size like 500MB or 10GB")]
Reserve = Annotated[
    str, msgspec.Meta(pattern=r"^([0-9]{1,2}%|[0-9]{1,6} ?[MGT]B)$", description="a share like 5% or a size like 2GB")
]
Absolute = Annotated[str, msgspec.Meta(max_length=1000, pattern=r"^/[^\n]*$", description="an absolute path")]

LEAST_RESERVE_KB = 8 * 1024
"""What is left free whatever the reserve says, in KB: a file system without a free block helps nobody to get out."""
SLOW_KB_S = 50 * 1024
"""What a slow disk writes where it cannot allocate without writing, in KB a second."""


class DiskFill(Held, frozen=True, tag="disk-fill"):
    """Fill a file system up to a level, and leave a reserve."""

    risk_floor: ClassVar[Risk] = Risk.MEDIUM
    survives_reboot: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("awk", "dd", "du", "fallocate", "mktemp", "readlink", "stat")

    path: Absolute = "/tmp"  # noqa: S108 - files are made in a fresh folder only
    """A folder of root's own on the file system that is filled."""
    size: Size = "10GB"
    """How much is written; what does not fit above the reserve is left out. Powers of 1024."""
    percent: Annotated[int, msgspec.Meta(ge=1, le=99)] | None = None
    """Instead of `size`: fill until so much of the file system is used, in per cent as `df` tells it."""
    step: Size = "1GB"
    """How much is written at once; before each step the reserve is looked at again."""
    reserve: Reserve = "5%"
    """What is left free for ordinary users, never less than 8 MB."""
    hold_s: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 60.0
    """For how long the level is held, in seconds."""
    memory: bool = False
    """A file system in memory (tmpfs) may be filled too; without this only those of the node's `memory_disks`."""

    @property
    def summary(self) -> str:
        """Like `disk-fill /tmp by 10GB, held for 60 s`."""
        much = f"by {self.size}" if self.percent is None else f"to {self.percent} %"
        return f"{self.kind} {self.path} {much}, held for {self.hold_s:g} s"

    @property
    def revert_limit_s(self) -> float:
        """A second for each GB that is removed, where that is known."""
        return min(600.0, 20.0 + kilobytes(self.size) / 1024**2) if self.percent is None else 300.0

    def inject_limit_s(self, target: Target) -> float:
        """As long as a slow disk takes where it cannot allocate without writing."""
        return min(1800.0, 15.0 + kilobytes(self.size) / SLOW_KB_S) if self.percent is None else 900.0

    def blast_radius(self, target: Target) -> str:
        """Everything that writes to the same file system."""
        much = f"{self.size} less to write in" if self.percent is None else f"filled to {self.percent} %"
        return (
            f"The file system of {self.path} on {target.node} is {much} for {self.hold_s:g} s, {self.reserve} left: "
            f"whatever writes to any folder of it may fail. Never paths, and what shares their space, are refused."
        )

    def scripts(self, target: Target) -> Scripts:
        """Files in a folder of our own, named after the run; removed by that name."""
        head = f"{shell.head(target)}{self._names(target)}"
        rails = f"{STACK}{APART}{memory(target.memory_limit_mb)}{MB}{RAILS}{LEVEL}"
        guarded = f"rails {shlex.join(target.never)}".rstrip() + "\n"
        return Scripts(
            inject=f"{shell.head(target, mark=self.kind)}{self._names(target)}{shell.KEEP}{rails}{guarded}{INJECT}",
            effect=f"{head}{MB}{LEVEL}{EFFECT}",
            revert=f"{head}{shell.stop_marked(self.kind)}{STACK}{PLACE}{REVERT}",
            clean=f"{head}{shell.none_marked(self.kind, target)}{STACK}{PLACE}{CLEAN}",
            preflight=f"set -eu\n{self._names(target)}{rails}{guarded}{PREFLIGHT}",
        )

    def _names(self, target: Target) -> str:
        share = re.fullmatch(r"(\d+)%", self.reserve)
        numbers = {
            "size": kilobytes(self.size),
            "percent": self.percent or 0,
            "step": kilobytes(self.step),
            "least": LEAST_RESERVE_KB if share else max(LEAST_RESERVE_KB, kilobytes(self.reserve)),
            "share": share[1] if share else 0,
            "memory_ok": int(self.memory),
        }
        texts = {
            "path": self.path,
            "run": target.run,
            "run_dir": target.run_dir,
            "memory_disks": "\n".join(target.memory_disks),
        }
        words = [f"{name}={value}" for name, value in numbers.items()]
        words += [f"{name}={shlex.quote(value)}" for name, value in texts.items()]
        return f"{' '.join(words)} # sizes in KB\n"


def kilobytes(size: str) -> int:
    """A size in KB, by powers of 1024.

    >>> kilobytes("10GB"), kilobytes("500 MB")
    (10485760, 512000)
    """
    factor: int = 1024 ** "KMGT".index(size[-2])
    return int(size[:-2]) * factor
