"""Reboot a whole node, or switch it off until the console has it switched on again."""

from __future__ import annotations

import shlex
from typing import Annotated, ClassVar, Literal

import msgspec

from console.faults import shell
from console.faults.base import Fault, Scripts, Target
from console.terms import Risk

FORCED_TIMER = "gameday-forced-reboot"
"""The transient timer that ends an orderly shutdown which hangs. A boot forgets it."""

_BOOT = "boot() { cat /proc/sys/kernel/random/boot_id; }\n"

_STRIKE = """\
: >was-active
for unit do
  case $(systemctl show -p ActiveState --value "$unit") in
  active | activating | reloading) echo "$unit" >>was-active ;;
  esac
done
boot >boot-before
keep was-active
keep boot-before
systemctl stop "$timer.timer" 2>/dev/null || :
# Without its default dependencies it outlives the beginning of the shutdown that it is there for.
systemd-run --quiet --collect --unit="$timer" --on-active="$forced" --timer-property=AccuracySec=1s \\
  --timer-property=DefaultDependencies=no -p DefaultDependencies=no systemctl "$how" --force
sleep 1 # so that the console hears that it began
systemctl --no-block "$how"
"""

_EFFECT = """\
[ -s boot-before ] || { echo 'no reboot was tried'; exit 1; }
[ "$(cat boot-before)" != "$(boot)" ] || { echo 'it is still the same boot'; exit 1; }
echo 'a new boot'
"""

_GOING_DOWN = """\
going_down() { # is a shutdown of this boot under way?
  case $(systemctl is-system-running 2>/dev/null) in
  initializing | starting | running | degraded | maintenance) return 1 ;;
  esac
}
"""

_REVERT = """\
if [ -s boot-before ] && [ "$(cat boot-before)" = "$(boot)" ]; then
  systemctl stop "$timer.timer" 2>/dev/null || :
  if going_down; then echo 'the node is going down: wait until it is back'; exit 1; fi
  echo 'it was not rebooted'
  exit 0
fi
tries=300
while [ "$(systemctl is-system-running 2>/dev/null)" = starting ] && [ $tries -gt 0 ]; do
  tries=$((tries - 1))
  sleep 0.1
done
"""

_CLEAN = """\
if going_down; then echo 'the node is going down'; exit 1; fi
case $(systemctl show -p ActiveState --value "$timer.timer") in
inactive) ;;
*) echo "$timer.timer is left"; exit 1 ;;
esac
"""

_PREFLIGHT = """\
[ -d /run/systemd/system ] || { echo 'systemd does not run here: nothing would boot it again'; exit 3; }
state=$(systemctl is-system-running 2>/dev/null) || :
case $state in
running) ;;
degraded)
  failed=$(systemctl --failed --plain --no-legend | cut -d' ' -f1)
  echo "warning: units have failed here already:" $failed
  ;;
*) echo "the node is $state, not running"; exit 1 ;;
esac
for unit do
  case $(systemctl is-enabled "$unit" 2>/dev/null) in
  enabled* | static | indirect | alias | generated) ;;
  *) echo "warning: $unit is not enabled: a boot will not start it" ;;
  esac
done
"""


class NodeReboot(Fault, frozen=True, tag="node-reboot"):
    """Reboot a whole node, or switch it off until the console has it switched on again."""

    risk_floor: ClassVar[Risk] = Risk.HIGH
    sustained: ClassVar[bool] = False
    survives_reboot: ClassVar[bool] = True
    reboots: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("own-boot", "systemctl")

    how: Literal["reboot", "poweroff"] = "reboot"
    """poweroff only where the inventory's node has a `power_on` command."""
    off_s: Annotated[float, msgspec.Meta(ge=0, le=600)] = 10.0
    """For poweroff: how long the node stays off, in seconds, from when it is gone."""
    forced_s: Annotated[float, msgspec.Meta(ge=5, le=600)] = 60.0
    """An orderly shutdown that takes longer, in seconds, is cut short."""
    back_s: Annotated[float, msgspec.Meta(ge=10, le=1800)] = 240.0
    """Within this time after inject the node must be back, in seconds."""

    @property
    def summary(self) -> str:
        """Like `node-reboot` or `node-reboot, off for 10 s`."""
        return self.kind if self.how == "reboot" else f"{self.kind}, off for {self.off_s:g} s"

    @property
    def revert_limit_s(self) -> float:
        """The boot is waited for, then each service that stayed down is started."""
        return 60.0

    def inject_limit_s(self, target: Target) -> float:
        """The boot counts: only then the effect can be proven."""
        return self.back_s

    def blast_radius(self, target: Target) -> str:
        """All of the node."""
        names = ", ".join(target.units)
        return (
            f"Everything on {target.node} is gone until it has booted again, at most {self.back_s:g} s: {names}, and "
            "whatever else runs there. Unsaved work of its users is lost. Whether it comes back is what is tested."
        )

    def scripts(self, target: Target) -> Scripts:
        """Note what is active and which boot it is, on disk; then shut down in order, by force after a limit."""
        head = shell.head(target)
        names = f"timer={FORCED_TIMER}\n"
        units = f"set -- {shlex.join(target.units)}\n"
        limits = f"how={self.how} forced={self.forced_s:g}\n"
        strike = f"{names}{limits}{units}{_BOOT}{shell.KEEP}{_STRIKE}"
        return Scripts(
            inject=f"{shell.head(target, mark=self.kind)}{strike}",
            effect=f"{head}{_BOOT}{_EFFECT}",
            revert=f"{head}{names}{_BOOT}{_GOING_DOWN}{_REVERT}{shell.RESTORE}",
            clean=f"{head}{names}{_GOING_DOWN}{_CLEAN}{shell.none_marked(self.kind, target)}",
            preflight=f"set -eu\n{units}{_PREFLIGHT}",
        )
