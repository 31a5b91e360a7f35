"""Take a share of a node's memory, and see who bears it."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from console.faults import shell
from console.faults.base import Held, Scripts, Target
from console.faults.disk_fill import Size, kilobytes
from console.faults.memory import KILLED, MB, memory
from console.terms import Risk

OVERTIME_S = 120
"""For how long above `hold_s` a holder stays that nobody ends, in seconds: nothing may hold memory for ever."""

_GOAL = r"""goal() { # sets goal: how much is to be held, in KB; says what stands against it, false if it cannot be held
  memory
  goal=$size
  [ "$percent" = 0 ] || goal=$((all_kb * percent / 100))
  keep=$((all_kb / 20)) # what else grows meanwhile, the page tables of ours, the kernel's own watermarks
  [ $keep -ge 32768 ] || keep=32768
  said="$(mb $goal) of $(mb $all_kb) are to be held, $(mb $free_kb) are to be had"
  [ $((goal + keep)) -gt $free_kb ] || { echo "$said"; return 0; }
  if [ "$oom_ok" = 1 ]; then echo "warning: $said: the kernel will kill for it, and ours first"; return 0; fi
  echo "$said, and $(mb $keep) of these must stay: the kernel would kill for the rest"
  fits=$(((free_kb - keep) * 100 / all_kb))
  [ $fits -gt 0 ] || fits=0
  echo "fix: take less, --set percent=$fits, or let it kill, --set allow_oom=true"
  return 3
}
"""

_INJECT = r"""goal
killed >killed
echo "$free_kb" >free
echo "$goal" >goal
echo 1000 >/proc/self/oom_score_adj # the kernel takes ours first; the guard keeps its own
if command -v stress-ng >/dev/null; then
  # Bytes, because its own per cent are of the machine outside; kept names, because others would hide our mark.
  stress-ng -q -k --vm 1 --vm-bytes "${goal}k" --vm-keep --vm-hang 0 --oomable -t "$limit" >said 2>&1 &
else
  # tail keeps the last bytes of what it reads until that ends: each is written, so each takes its page.
  { head -c "${goal}k" /dev/zero; sleep "$limit"; } | tail -c "${goal}k" >/dev/null 2>said &
fi
"""

_HELD = r"""held() { # how much our processes hold, in KB, swapped out or not; shared pages are theirs in parts
  for pid in $(marked "GAMEDAY_FAULT=memory-pressure $GAMEDAY_DIR"); do
    cat "/proc/$pid/smaps_rollup" 2>/dev/null || :
  done | awk '/^(Pss|SwapPss):/ { sum += $2 } END { print sum + 0 }'
}
"""

_EFFECT = r"""[ -s goal ] || { echo 'nothing was started'; exit 1; }
read -r goal <goal
read -r free_before <free
read -r killed_before <killed
kills=$(($(killed) - killed_before))
[ $kills = 0 ] || {
  echo "finding: the kernel killed $kills process(es) for want of memory"
  dmesg 2>/dev/null | grep -i 'killed process' | tail -n "$kills" | cut -c1-200 | sed 's/^/finding: kernel log: /' || :
}
ours=$(held)
memory
now="$(mb "$ours") of $(mb "$goal") held by ours"
now="$now; $(mb $free_kb) of $(mb $all_kb) are to be had, $(mb "$free_before") before"
[ $((ours + goal / 50 + 1024)) -lt "$goal" ] || { : >full; echo "$now"; exit 0; }
holds() { # whether one of those that take the memory is alive
  for pid in $(marked "GAMEDAY_FAULT=memory-pressure $GAMEDAY_DIR"); do cat "/proc/$pid/comm" 2>/dev/null || :; done |
    grep -qE '^(stress-ng|tail|busybox)'
}
if [ ! -e full ] && holds; then echo "in progress: $now"; exit 3; fi
said=$(head -c 200 said 2>/dev/null | tr '\n' ' ')
why="they ended${said:+: $said}"
[ $kills = 0 ] || why='the kernel killed them for want of memory'
echo "$now: $why"
exit 1
"""

_REVERT = r"""[ -s free ] || exit 0
read -r free_before <free
tries=50
while memory && [ $((free_kb + all_kb / 20)) -lt "$free_before" ] && [ $tries -gt 0 ]; do
  tries=$((tries - 1))
  sleep 0.2
done
echo "$(mb $free_kb) are to be had, $(mb "$free_before") before"
"""
"""What is missing once our processes are gone is not held by us: it is waited for and told, and the probe judges it."""


class MemoryPressure(Held, frozen=True, tag="memory-pressure"):
    """Take a share of a node's memory, and see who bears it."""

    risk_floor: ClassVar[Risk] = Risk.MEDIUM
    needs: ClassVar[tuple[str, ...]] = ("awk", "head", "stress-ng", "tail")

    percent: Annotated[int, msgspec.Meta(ge=1, le=95)] = 70
    """How much is held, in per cent of what the node has: the least of its memory, its container's limit and the
    inventory's `memory_limit_mb`."""
    size: Size | None = None
    """Instead of `percent`: so much. Powers of 1024."""
    allow_oom: bool = False
    """Take it even where the kernel has to kill for it. Ours are first in its row, but it chooses."""

    @property
    def summary(self) -> str:
        """Like `memory-pressure 70 %, held for 30 s`."""
        return f"{self.kind} {self._much}, held for {self.hold_s:g} s"

    @property
    def _much(self) -> str:
        return self.size or f"{self.percent} %"

    @property
    def revert_limit_s(self) -> float:
        """The kernel takes its time to free a lot, and swap is slow."""
        return 30.0

    def inject_limit_s(self, target: Target) -> float:
        """It starts at once; filling shows as being under way, at more than 200 MB a second on a slow node."""
        return 60.0

    def blast_radius(self, target: Target) -> str:
        """Who needs memory, waits or is killed."""
        killing = "may kill, ours first" if self.allow_oom else "should not have to kill: that is looked at before"
        return (
            f"{self._much} of the memory of {target.node} is held for {self.hold_s:g} s, of the smallest of its "
            f"memory, its container's limit and the inventory's; what needs more gets slower, caches shrink, and the "
            f"kernel {killing}."
        )

    def scripts(self, target: Target) -> Scripts:
        """stress-ng where it is there, else what every system has; told how many bytes."""
        head = shell.head(target)
        known = memory(target.memory_limit_mb)
        much = (
            f"percent={self.percent if self.size is None else 0} size={kilobytes(self.size) if self.size else 0} "
            f"oom_ok={int(self.allow_oom)} limit={self.hold_s + OVERTIME_S:.0f} # size in KB\n"
        )
        return Scripts(
            inject=f"{shell.head(target, mark=self.kind)}{much}{known}{MB}{KILLED}{_GOAL}{_INJECT}",
            effect=f"{head}{shell.MARKED}{known}{MB}{KILLED}{_HELD}{_EFFECT}",
            revert=f"{head}{shell.stop_marked(self.kind)}{known}{MB}{_REVERT}",
            clean=f"{head}{shell.none_marked(self.kind, target)}",
            preflight=f"set -eu\n{much}{known}{MB}{_GOAL}goal\n",
        )
