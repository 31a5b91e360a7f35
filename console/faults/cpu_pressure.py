"""Load a node's cores, and see whether everything on it is still served."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from console.faults import shell
from console.faults.base import Held, Scripts, Target
from console.terms import Risk

OVERTIME_S = 120.0
"""For how long above `hold_s` a loop goes on that nobody ends: proofs take time, and nothing may burn for ever."""

BURNING_SHARE = 0.02
"""A process that takes more than this share of a core burns; less is only waiting, like the parent of the loops."""

_CORES = """\
[ -r /proc/stat ] || { echo 'there is no /proc/stat: the load could not be proven'; exit 1; }
cores=$(grep -c '^cpu[0-9]' /proc/stat)
[ "$want" != all ] || want=$cores
"""

_PREFLIGHT = """\
[ "$want" -le "$cores" ] || { echo "there are only $cores cores: set cores=all, or at most $cores"; exit 1; }
"""

_INJECT = """\
echo "$want" >want
if command -v stress-ng >/dev/null; then
  stress-ng -q -k --cpu "$want" --timeout "$limit" >said 2>&1 &
else
  read -r now _ </proc/uptime
  end=$((${now%.*} + limit))
  burn() { while read -r now _ </proc/uptime && [ "${now%.*}" -lt "$end" ]; do
    n=0; while [ $n -lt 100000 ]; do n=$((n + 1)); done
  done; }
  n=0
  while [ $n -lt "$want" ]; do n=$((n + 1)); burn & done
fi
"""

_EFFECT = """\
[ -f want ] || { echo 'nothing was started'; exit 1; }
read -r want <want
look() { # of the node: ticks of its cores, idle ones; of each of our processes: its pid, its ticks
  sed -n 's/^cpu  /cpu /p' /proc/stat
  for pid in $(marked "GAMEDAY_FAULT=cpu-pressure $GAMEDAY_DIR"); do
    sed -n 's/.*) //p' "/proc/$pid/stat" 2>/dev/null | awk -v pid="$pid" '{ print pid, $12 + $13 }'
  done
}
before=$(look)
sleep 1
after=$(look)
printf '%s\\n\\n%s\\n' "$before" "$after" | awk -v want="$want" -v share="$share" -v hz="$(getconf CLK_TCK)" '
  NF == 0 { second = 1; next }
  $1 == "cpu" {
    all = 0; for (i = 2; i <= 9; i++) all += $i
    if (second) { all -= all0; idle = $5 + $6 - idle0 } else { all0 = all; idle0 = $5 + $6 }
    next
  }
  !second { was[$1] = $2; next }
  $2 - was[$1] > hz * share { used += $2 - was[$1]; burning++ }
  END {
    printf "%d of %d loops burn: they used %.2f s of processor time in 1 s; the node is %.0f %% busy\\n",
      burning, want, used / hz, (all ? 100 * (1 - idle / all) : 0)
    exit (burning < want)
  }'
"""


class CpuPressure(Held, frozen=True, tag="cpu-pressure"):
    """Load a node's cores, and see whether everything on it is still served."""

    risk_floor: ClassVar[Risk] = Risk.MEDIUM
    needs: ClassVar[tuple[str, ...]] = ("awk", "getconf", "stress-ng")

    cores: Annotated[int, msgspec.Meta(ge=1, le=1024)] | Literal["all"] = "all"
    """How many are loaded."""

    @property
    def summary(self) -> str:
        """Like `cpu-pressure on every core, held for 30 s`."""
        return f"{self.kind} on {self._which}, held for {self.hold_s:g} s"

    @property
    def _which(self) -> str:
        if self.cores == "all":
            return "every core"
        return "one core" if self.cores == 1 else f"{self.cores} cores"

    def blast_radius(self, target: Target) -> str:
        """The whole node gets slower."""
        return (
            f"Busy loops load {self._which} of {target.node} at normal priority for {self.hold_s:g} s: everything "
            f"on it is slower, and what is close to its time limits may fail; it stays reachable."
        )

    def scripts(self, target: Target) -> Scripts:
        """A busy loop for each core: stress-ng's where it is there, else the shell's own."""
        want = f"want={self.cores}\n"
        return Scripts(
            inject=(
                f"{shell.head(target, mark=self.kind)}{want}limit={self.hold_s + OVERTIME_S:.0f}\n{_CORES}{_INJECT}"
            ),
            effect=f"{shell.head(target)}share={BURNING_SHARE}\n{shell.MARKED}{_EFFECT}",
            revert=f"{shell.head(target)}{shell.stop_marked(self.kind)}",
            clean=f"{shell.head(target)}{shell.none_marked(self.kind, target)}",
            preflight=f"set -eu\n{want}{_CORES}{_PREFLIGHT}",
        )
