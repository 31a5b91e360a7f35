"""Signal the process behind a service, and see whether it comes back by itself."""

from __future__ import annotations

import shlex
from typing import ClassVar, Literal

from console.faults import shell
from console.faults.base import Fault, Scripts, Target
from console.terms import Risk

_STRIKE = """\
for pid in $members; do
  case $(args "$pid" 2>/dev/null || :) in *"$pattern"*) echo "$pid $(alive "$pid")" ;; esac
done >victims
[ -s victims ] || { echo "no process of $unit has '$pattern' in its command line: nothing was signalled"; exit 1; }
state=$(systemctl show -p ActiveState --value "$unit")
[ "$state" != active ] || echo "$unit" >was-active
"""

_EFFECT = """\
[ -s victims ] || { echo 'no process was signalled'; exit 1; }
now=$(systemctl show -p MainPID --value "$unit") || now=
case $now in '' | 0) now='none yet' ;; esac
while read -r pid start; do
  [ "$(alive "$pid")" != "$start" ] || { echo "pid $pid is still there"; exit 1; }
  echo "pid $pid is gone (now $now)"
done <victims
"""

_COVERED = """\
restart=$(get Restart)
case $signal:$restart in
*:always | TERM:on-success | KILL:on-failure | KILL:on-abnormal | KILL:on-abort) ;;
*) echo "warning: $unit has Restart=${restart:-no}, which does not cover SIG$signal: it may stay down" ;; esac
"""


class ProcessSignal(Fault, frozen=True, tag="process-signal"):
    """Signal the process behind a service, and see whether it comes back by itself."""

    risk_floor: ClassVar[Risk] = Risk.LOW
    sustained: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("systemctl", "ps", "awk")
    needs_units: ClassVar[bool] = True
    needs_process: ClassVar[bool] = True

    signal: Literal["TERM", "KILL"] = "TERM"

    @property
    def summary(self) -> str:
        """Like `process-signal TERM`."""
        return f"{self.kind} {self.signal}"

    @property
    def revert_limit_s(self) -> float:
        """A service that stops slowly is waited for before it is started."""
        return 30.0

    def blast_radius(self, target: Target) -> str:
        """One service, until it is back."""
        return (
            f"{target.units[0]} on {target.node} is down until it comes back by itself; "
            f"what it is answering just then is lost, and whoever needs it gets errors."
        )

    def scripts(self, target: Target) -> Scripts:
        """Find the processes inside the unit, note them, signal them; start the unit only if it stayed down."""
        shell.refuse_untouchable(target)
        unit = f"unit={shlex.quote(target.units[0])}\n"
        head = shell.head(target)
        return Scripts(
            inject=(
                f"{shell.head(target, mark=self.kind)}{unit}pattern={shlex.quote(target.process)}\n"
                f"{shell.MEMBERS}{shell.ALIVE}{_STRIKE}"
                f'while read -r pid start; do kill -{self.signal} "$pid"; done <victims\n'
            ),
            effect=f"{head}{unit}{shell.ALIVE}{_EFFECT}",
            revert=f"{head}{shell.RESTORE}",
            clean=f"{head}{shell.none_marked(self.kind, target)}",
            preflight=f"set -eu\n{unit}signal={self.signal}\n{shell.MAY_START}ready\n{_COVERED}",
        )
