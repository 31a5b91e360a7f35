"""What the faults in one component of an application share: which one, and the endpoints that may make them."""

from __future__ import annotations

import shlex
from typing import Annotated, ClassVar, Literal

import msgspec

from console.errors import Refused
from console.faults import shell
from console.faults.base import ComponentTarget, Fault, Scripts, Target
from console.terms import Risk

TOKEN = "token"
"""The file in the action's folder into which the console writes what its own token file says; it is in no script."""

_CALL = """\
call() { # METHOD PATH: the token reaches curl over its standard input, so that no process list shows it
  {
    printf 'header = "Authorization: Bearer %s"\\n' "$(cat "$token")"
    printf 'url = "%s%s"\\nrequest = "%s"\\n' "$url" "$2" "$1"
  } | curl -sS --fail-with-body --max-time 5 --config - 2>&1
}
"""

_EFFECT = """\
[ -e finished ] || { echo 'it is being asked for'; exit 3; }
said=$(call GET '') || { echo "$url does not tell which faults it has: $said"; exit 2; }
case $said in *"\\"$name\\""*) echo "the application says: $said" ;; *)
  echo "the application knows of no fault in $name: $said"
  exit 1 ;; esac
"""

_REVERT = """\
[ -e asked ] || { echo 'nothing was done, nothing to take back'; exit 0; }
tries=5
until said=$(call POST /reset); do # it may be starting just now
  [ $tries -gt 0 ] || { echo "$url/reset: $said"; exit 1; }
  tries=$((tries - 1))
  sleep 1
done
"""

_CLEAN = """\
[ -e asked ] || exit 0
said=$(call GET '') || { echo "$url does not tell which faults it has: $said"; exit 2; }
case $(printf '%s' "$said" | tr -d ' \\n') in *'"faults":[]'*) ;; *)
  echo "the application still says: $said"
  exit 1 ;; esac
"""

_PREFLIGHT = """\
command -v curl >/dev/null || { echo 'curl is not there'; echo 'fix: apt install curl'; exit 3; }
"""


class ComponentFault(Fault, frozen=True):
    """Base of the faults in one component of a service, from outside or by the application's own endpoints."""

    risk_floor: ClassVar[Risk] = Risk.LOW
    development_only: ClassVar[bool] = True
    needs_units: ClassVar[bool] = True

    component: Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern="^[A-Za-z0-9_.-]+$")]
    """Its name in the service's `components`."""
    via: Literal["outside", "endpoint"] = "outside"
    """`endpoint`: the application is asked to do it, where it has the endpoints for that."""

    @property
    def how(self) -> str:
        """Words for a summary: empty from outside."""
        return ", by its own endpoint" if self.via == "endpoint" else ""


class HeldComponent(ComponentFault, frozen=True):
    """Base of those that act on its port until `hold_s` is over."""

    sustained: ClassVar[bool] = True
    needs_component: ClassVar[Literal["", "process", "port"]] = "port"

    hold_s: Annotated[float, msgspec.Meta(ge=1, le=600)] = 20.0
    """For how long, in seconds."""

    @property
    def lasts_s(self) -> float:
        """As long as it is held."""
        return self.hold_s

    @property
    def revert_limit_s(self) -> float:
        """Far more than it takes, so that another program's lock on the firewall (5 s each time) is outwaited."""
        return 30.0


def target_of(fault: ComponentFault, target: Target) -> ComponentTarget:
    """The component.

    Raises:
        Refused: the plan does not say which.
    """
    if target.component is None:
        raise Refused(f"{fault.kind} on {target.node}: no component is named")
    return target.component


def by_endpoint(fault: ComponentFault, target: Target, what: str) -> Scripts:
    """The scripts that ask the application for the fault (`what`, below the component), and to take all back."""
    component = target_of(fault, target)
    unit, name = shlex.quote(target.units[0]), shlex.quote(component.name)
    call = f"url={shlex.quote(component.dev_url)} name={name} unit={unit} token={TOKEN}\n{_CALL}"
    path = shlex.quote(f"/{component.name}/{what}")
    strike = f'said=$(call POST {path}) || {{ echo "$url"{path}": $said"; exit 1; }}\n'
    head = shell.head(target)
    return Scripts(
        inject=f"{head}{call}: >asked\n{strike}: >finished\n",
        effect=f"{head}{call}{_EFFECT}",
        revert=f"{head}{call}{_REVERT}",
        clean=f"{head}{call}{_CLEAN}",
        preflight=f"set -eu\n{_PREFLIGHT}",
    )
