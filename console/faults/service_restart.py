"""Restart services one by one."""

from __future__ import annotations

import shlex
from typing import Annotated, ClassVar

import msgspec

from console.faults import shell
from console.faults.base import Fault, Scripts, Target
from console.terms import Risk

ACTIVE_LIMIT_S = 30.0
"""For how long a restarted unit may take to be active again before the next one is restarted all the same."""

_INJECT = """\
get() { systemctl show -p "$1" --value "$unit"; }
now() { cut -d' ' -f1 /proc/uptime 2>/dev/null || date +%s; }
for unit do
  [ "$(get ActiveState)" != active ] || echo "$unit"
done >was-active
: >restarts
while [ $# -gt 0 ]; do
  unit=$1
  shift
  before=$(get InvocationID)
  start=$(now)
  tries=$limit
  systemctl restart "$unit" || tries=0
  while state=$(get ActiveState) && [ "$state" != active ] && [ "$state" != failed ] && [ $tries -gt 0 ]; do
    tries=$((tries - 1))
    sleep 0.1
  done
  echo "$unit ${before:-none} $(get InvocationID) $start $(now) $state" >>restarts
  [ $# -eq 0 ] || sleep "$pause"
done
: >finished
"""

_EFFECT = """\
[ -f restarts ] || { echo 'no restart was tried'; exit 1; }
[ -f finished ] || { echo "in progress: $(wc -l <restarts | tr -d ' ') of $total"; exit 3; }
awk -v total="$total" '
  NF == 6 && $2 != $3 {
    printf "%s%s %.2f s%s", done++ ? "; " : "", $1, $5 - $4, $6 == "active" ? "" : " (" $6 ")"
    next
  }
  { bad = bad " " $1 }
  END { print ""; if (done != total) { print "not restarted:" (bad ? bad : " " total - done " of " total); exit 1 } }
' restarts
"""


class ServiceRestart(Fault, frozen=True, tag="service-restart"):
    """Restart services one by one."""

    risk_floor: ClassVar[Risk] = Risk.LOW
    sustained: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("systemctl", "awk")
    needs_units: ClassVar[bool] = True

    pause_s: Annotated[float, msgspec.Meta(ge=0, le=300)] = 5.0
    """The pause between two restarts, in seconds."""

    @property
    def summary(self) -> str:
        """Like `service-restart, 5 s apart`."""
        return f"{self.kind}, {self.pause_s:g} s apart"

    @property
    def revert_limit_s(self) -> float:
        """A service that stops slowly is waited for before it is started."""
        return 60.0

    def inject_limit_s(self, target: Target) -> float:
        """A stop may take as long as a start, before `systemctl restart` returns."""
        return len(target.units) * (2 * ACTIVE_LIMIT_S + self.pause_s)

    def blast_radius(self, target: Target) -> str:
        """Every service, for a moment each."""
        names = ", ".join(target.units)
        return f"{names} on {target.node}: each is down for the moment of its restart, {self.pause_s:g} s apart."

    def scripts(self, target: Target) -> Scripts:
        """Restarts in the background, each noted in the run's folder with its times."""
        shell.refuse_untouchable(target)
        head = shell.head(target)
        units = shlex.join(target.units)
        limits = f"pause={self.pause_s:g} limit={ACTIVE_LIMIT_S * 10:.0f}\n"
        return Scripts(
            inject=f"{shell.head(target, mark=self.kind)}{limits}set -- {units}\n{_INJECT}",
            effect=f"{head}total={len(target.units)}\n{_EFFECT}",
            revert=f"{head}{shell.stop_marked(self.kind)}{shell.RESTORE}",
            clean=f"{head}{shell.none_marked(self.kind, target)}",
            preflight=f"set -eu\n{shell.MAY_START}bad=0\nfor unit in {units}; do ready || bad=1; done\nexit $bad\n",
        )
