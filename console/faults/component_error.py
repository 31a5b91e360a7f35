"""Let a component's TCP port refuse everybody at once, and see whether the application fails fast and goes on."""

from __future__ import annotations

from typing import ClassVar

from console.faults import own_chain, shell
from console.faults.base import Scripts, Target
from console.faults.component import HeldComponent, by_endpoint, target_of
from console.faults.component_port import ANSWERS, PORT, RAILS, names

_INJECT = """\
rules() { # what a client sends is answered with a reset, but for its own resets, so that the other end hears of it
  echo '*filter'
  echo ":$chain - [0:0]"
  echo "-A $chain -p tcp --dport $port --tcp-flags RST RST $mark -j RETURN"
  echo "-A $chain -p tcp --dport $port $mark -j REJECT --reject-with tcp-reset"
  echo "-I OUTPUT 1 -o lo $mark -j $chain"
  echo "-I INPUT 1 $mark -j $chain"
  echo COMMIT
}
rules >rules
lay rules
: >finished
"""

_EFFECT = """\
[ -e finished ] || { echo 'in progress: the rules are not all there'; exit 3; }
count() { iptables -w 5 -nvxL "$chain" 2>/dev/null | awk '$3 == "REJECT" { n += $1 } END { print n + 0 }'; }
before=$(count)
knock
case $how in
refused) ;;
*) echo "port $port: a connect is $how, not refused"; exit 1 ;; esac
after=$(count)
case $address in *:*) ;; *)
  [ "$after" -gt "$before" ] || { echo "port $port refuses, but not by our rules ($after so far)"; exit 1; } ;; esac
echo "$address port $port: a connect is refused within 1 s; $after packets were answered with a reset so far"
"""

_PREFLIGHT = """\
find_port
knock
[ "$how" = taken ] || { echo "$address port $port: a connect is $how even now"; exit 1; }
"""


class ComponentError(HeldComponent, frozen=True, tag="component-error"):
    """Let a component's TCP port refuse everybody at once, and see whether the application fails fast and goes on."""

    needs: ClassVar[tuple[str, ...]] = ("firewall", "iptables-restore", "systemctl", "ss", "timeout", "bash", "awk")

    @property
    def summary(self) -> str:
        """Like `component-error in adapter, held for 20 s`."""
        return f"{self.kind} in {self.component}{self.how}, held for {self.hold_s:g} s"

    def blast_radius(self, target: Target) -> str:
        """One port."""
        port = target_of(self, target).port
        return (
            f"Whoever uses the {self.component} of {target.units[0]} on {target.node} (TCP port {port} there) is "
            f"refused at once for {self.hold_s:g} s, open connections included; no other port is touched."
        )

    def scripts(self, target: Target) -> Scripts:
        """A chain of its own that resets what is sent to the port, laid and taken away in one transaction."""
        if self.via == "endpoint":
            return by_endpoint(self, target, "fail")
        chain, port, head = own_chain.named(target, "filter"), names(self, target), shell.head(target)
        return Scripts(
            inject=f"{shell.head(target, mark=self.kind)}{chain}{port}{own_chain.LAY}{_INJECT}",
            effect=f"{head}{chain}{port}{PORT}{ANSWERS}find_port\n{_EFFECT}",
            revert=f"{head}{shell.stop_marked(self.kind)}{chain}{own_chain.REVERT}",
            clean=f"{head}{shell.none_marked(self.kind, target)}tables=filter\n{own_chain.CLEAN}",
            preflight=f"set -eu\ntables=filter\n{port}{own_chain.MAY_CHANGE}{RAILS}{PORT}{ANSWERS}{_PREFLIGHT}",
        )
