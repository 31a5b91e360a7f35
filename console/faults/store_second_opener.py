"""Open a store a second time while its service holds it, and see whether that is refused at once."""

from __future__ import annotations

import shlex
from typing import Annotated, ClassVar

import msgspec

from console.errors import Refused
from console.faults import shell, store_sh
from console.faults.base import Fault, Scripts, Target
from console.terms import Risk

_STAMP = r"""stamp() { read -r up _ </proc/uptime && echo "${up%.*}${up#*.}"; } # in hundredths of a second
"""

_FIND = r"""find_store || { echo "$path is no folder here"; exit 1; }
main_of
running || exit 1
same_folder || { echo "$unit sees another folder at $path than the node does"; exit 1; }
"""

_INJECT = r"""id_of() { sed -n "s/^$1:[[:space:]]*\([0-9]*\).*/\1/p" "/proc/$main/status"; }
set -- env -i PATH="$PATH" GAMEDAY_FAULT="$mark" GAMEDAY_RUN="$run" "$@"
if [ "$(id_of Uid)" != "$(id -u)" ]; then # as who runs the service: what another one leaves, it could not open
  set -- setpriv --reuid "$(id_of Uid)" --regid "$(id_of Gid)" --init-groups "$@"
fi
mask=$(sed -n 's/^Umask:[[:space:]]*//p' "/proc/$main/status") # what it leaves is to be as the service's own is
stamp >began
{
  { code=0; (cd / && umask "${mask:-022}" && exec "$@") 2>&1 </dev/null || code=$?
    echo "$code $(stamp)" >new; mv new ended; } |
    { head -c 65536 >said; cat >/dev/null; }
} >/dev/null 2>&1 &
until [ -s ended ] || [ "$(stamp)" -ge $(($(cat began) + limit)) ]; do sleep 0.1; done
"""

_EFFECT = r"""[ -s began ] || { echo 'nothing was started'; exit 1; }
if [ -s ended ]; then
  read -r code at <ended
  echo "a second opener ended after $((at - $(cat began)))0 ms, exit $code: $(head -c 300 said | tr '\n' ' ')"
else
  since=$(($(stamp) - $(cat began)))
  echo "a second opener is there since ${since}0 ms: $(head -c 300 said 2>/dev/null | tr '\n' ' ')"
  [ $since -ge $limit ] || exit 3
fi
"""


class StoreSecondOpener(Fault, frozen=True, tag="store-second-opener"):
    """Open a store a second time while its service holds it, and see whether that is refused at once."""

    risk_floor: ClassVar[Risk] = Risk.LOW
    sustained: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = (*store_sh.NEEDS, "env", "head", "id", "mv", "setpriv", "sleep", "tr")
    needs_store: ClassVar[bool] = True
    development_only: ClassVar[bool] = True

    within_s: Annotated[float, msgspec.Meta(ge=1, le=60)] = 5.0
    """For how long it is waited for; one that is there longer is left open until the revert, in seconds."""

    @property
    def summary(self) -> str:
        """Its kind."""
        return self.kind

    def inject_limit_s(self, target: Target) -> float:
        """As long as it is waited for."""
        return self.within_s + 10.0

    def blast_radius(self, target: Target) -> str:
        """The store, if it lets a second one in."""
        store = store_sh.store_of(target)
        return (
            f"{store.unit} on {target.node} goes on while a second process tries to open {store.path}; a store that "
            f"lets it in may be damaged by that."
        )

    def scripts(self, target: Target) -> Scripts:
        """The inventory's `open` once, as the service's user; what it says is kept, and it is ended at the latest by
        the revert.

        Raises:
            Refused: the inventory does not say how the store is opened.
        """
        store = store_sh.store_of(target)
        if not store.open:
            raise Refused(f"the inventory does not say how {store.name} is opened: give it 'open'")
        names = f"{store_sh.names(target)}limit={self.within_s * 100:.0f}\n"
        find = f"{store_sh.PLACE}{_STAMP}{_FIND}"
        words = f"set -- {shlex.join(store.open)}\n"
        return Scripts(
            inject=f"{shell.head(target, mark=self.kind)}{names}{find}{words}{_INJECT}",
            effect=f"{shell.head(target)}{names}{_STAMP}{_EFFECT}",
            revert=f"{shell.head(target)}{shell.stop_marked(self.kind)}",
            clean=f"{shell.head(target)}{shell.none_marked(self.kind, target)}",
            preflight=f"set -eu\n{names}{find}{words}"
            'command -v "$1" >/dev/null || { echo "$1, which opens the store, is no program here"; exit 1; }\n',
        )
