"""Kill one worker of an application, and see whether another one takes its place."""

from __future__ import annotations

import shlex
from typing import Annotated, ClassVar, Literal

import msgspec

from console.errors import Refused
from console.faults import shell
from console.faults.base import Scripts, Target
from console.faults.component import ComponentFault, by_endpoint, target_of

WORKERS = """\
workers() { # of the unit's processes those that are the component; never its main process
  for pid in $members; do
    [ "$pid" != "$main" ] || continue
    case $(args "$pid" 2>/dev/null || :) in *"$pattern"*) echo "$pid $(alive "$pid")" ;; esac
  done | sort -n
}
"""

_CHOOSE = """\
workers >before
[ -s before ] || { echo "no process of $unit but its main one has '$pattern' in its command line"; exit 1; }
echo "$main $(alive "$main")" >main
"""

_STRIKE = """\
state=$(systemctl show -p ActiveState --value "$unit")
[ "$state" != active ] || echo "$unit" >was-active
head -n "$count" before >victims
while read -r pid start; do
  [ "$(alive "$pid")" != "$start" ] || kill -"$signal" "$pid"
done <victims
: >finished
"""

_EFFECT = """\
[ -s before ] || { echo 'no process was signalled'; exit 1; }
[ -e finished ] || { echo 'it is being done'; exit 3; }
gone=''
while read -r pid start; do
  [ "$(alive "$pid")" = "$start" ] || gone="$gone $pid"
done <before
set -- $gone
[ $# -ge "$count" ] || { echo "only $# of $count processes are gone:$gone"; exit 1; }
read -r pid start <main
[ "$(alive "$pid")" = "$start" ] || echo "finding: the main process $pid of $unit is gone too"
echo "gone of the $(wc -l <before) processes of $name:$gone; the main process is $pid"
"""

_PREFLIGHT = """\
state=$(systemctl show -p ActiveState --value "$unit")
[ "$state" = active ] || { echo "$unit is ${state:-unknown}, not active"; exit 1; }
found=$(workers | wc -l)
[ "$found" -ge "$count" ] || {
  echo "$unit has $found processes with '$pattern' in their command line besides its main one, $count are to be killed"
  exit 1
}
[ "$found" -gt "$count" ] || echo "warning: $name has no other process: nothing is worked on until one is started anew"
"""


class ComponentKill(ComponentFault, frozen=True, tag="component-kill"):
    """Kill one worker of an application, and see whether another one takes its place."""

    sustained: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("systemctl", "ps", "awk")
    needs_component: ClassVar[Literal["", "process", "port"]] = "process"

    signal: Literal["TERM", "KILL"] = "KILL"
    count: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    """How many of them."""

    @property
    def summary(self) -> str:
        """Like `component-kill KILL of 1 worker`."""
        return f"{self.kind} {self.signal} of {self.count} {self.component}{self.how}"

    @property
    def revert_limit_s(self) -> float:
        """A service that stops slowly is waited for before it is started."""
        return 30.0

    def blast_radius(self, target: Target) -> str:
        """Some processes, not their service."""
        which = f"{self.count} of the {self.component} processes" if self.count > 1 else f"One {self.component} process"
        return (
            f"{which} of {target.units[0]} on {target.node} dies by SIG{self.signal}, and what it was just doing is "
            "lost or done again; its main process and the others are not touched."
        )

    def scripts(self, target: Target) -> Scripts:
        """Note the processes inside the unit, signal the first of them; start the unit only if all of it went down."""
        shell.refuse_untouchable(target)
        component = target_of(self, target)
        names = (
            f"unit={shlex.quote(target.units[0])} name={shlex.quote(component.name)} "
            f"pattern={shlex.quote(component.process)} signal={self.signal} count={self.count}\n"
        )
        find = f"{names}{shell.MEMBERS}{shell.ALIVE}{WORKERS}"
        head = shell.head(target)
        outside = Scripts(
            inject=f"{shell.head(target, mark=self.kind)}{find}{_CHOOSE}{_STRIKE}",
            effect=f"{head}{names}{shell.ALIVE}{_EFFECT}",
            revert=f"{head}{shell.RESTORE}",
            clean=f"{head}{shell.none_marked(self.kind, target)}",
            preflight=f"set -eu\n{find}{_PREFLIGHT}",
        )
        if self.via == "outside":
            return outside
        if self.signal != "KILL" or self.count > 1:
            raise Refused(f"{self.kind} via its endpoint: the application kills one at a time, by SIGKILL")
        asked = by_endpoint(self, target, "kill")
        return Scripts(
            inject=f"{asked.inject}".replace(": >asked\n", f"{find}{_CHOOSE}: >asked\n", 1),
            effect=outside.effect,
            revert=asked.revert,
            clean=asked.clean,
            preflight=f"{asked.preflight}{find}{_PREFLIGHT}",
        )
