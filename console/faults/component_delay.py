"""Delay a component's TCP port, and see what the application makes of a slow event bus."""

from __future__ import annotations

import zlib
from typing import Annotated, ClassVar

import msgspec

from console.faults import own_chain, shell
from console.faults.base import Scripts, Target
from console.faults.component import HeldComponent, by_endpoint, target_of
from console.faults.component_delay_py import ASK, PROXY
from console.faults.component_port import PORT, RAILS, names

_ASK = f"""\
ask() {{ # LIMIT_S: the milliseconds of a round trip through the port: a connect, an end of input, what comes back
  python3 - "$address" "$port" "$1" 2>&1 <<'PY'
{ASK}PY
}}
"""

_INJECT = f"""\
cat >proxy.py <<'PY'
{PROXY}PY
python3 -u proxy.py "$port" "$delay_ms" "$sign" >ports.new 2>proxy.err &
tries=100
while [ ! -s ports.new ]; do
  kill -0 $! 2>/dev/null || {{ echo 'the proxy did not start:'; cat proxy.err; exit 1; }}
  [ $tries -gt 0 ] || {{ echo 'the proxy did not start in time'; exit 1; }}
  tries=$((tries - 1))
  sleep 0.1
done
read -r four six_port <ports.new
rules() {{ # PROXY_PORT: new connections go through the proxy; what older ones send is reset, so that they come anew
  echo '*nat'
  echo ":$chain - [0:0]"
  echo "-A $chain -p tcp --dport $port -m mark --mark $sign $mark -j RETURN"
  echo "-A $chain -p tcp --dport $port $mark -j REDIRECT --to-ports $1"
  echo "-I OUTPUT 1 -o lo $mark -j $chain"
  echo "-I PREROUTING 1 -m addrtype --dst-type LOCAL $mark -j $chain"
  echo COMMIT
  echo '*filter'
  echo ":$chain - [0:0]"
  echo "-A $chain -p tcp --dport $port -m mark --mark $sign $mark -j RETURN"
  echo "-A $chain -p tcp --dport $port --tcp-flags RST RST $mark -j RETURN"
  echo "-A $chain -p tcp --dport $port $mark -j REJECT --reject-with tcp-reset"
  echo "-I OUTPUT 1 -o lo $mark -j $chain"
  echo "-I INPUT 1 $mark -j $chain"
  echo COMMIT
}}
rules "$four" >rules
rules "$six_port" >rules6
if [ "$six_port" = 0 ]; then lay rules; else lay rules rules6; fi
: >finished
"""

_EFFECT = """\
[ -e finished ] || { echo 'in progress: the rules are not all there'; exit 3; }
took=$(ask $((delay_ms / 1000 + 5))) || { echo "$address port $port: $took"; exit 1; }
[ "$took" -ge "$delay_ms" ] ||
  { echo "$address port $port: a round trip took $took ms, it should take $delay_ms at least"; exit 1; }
echo "$address port $port: a round trip took $took ms"
"""

_PREFLIGHT = """\
command -v python3 >/dev/null && python3 -c 'import queue, socket, struct, threading' ||
  refuse 'there is no python3 with sockets, which the delaying proxy needs' 'apt install python3'
find_port
took=$(ask 3) || {
  echo "$address port $port: $took. The round trip could not be measured: it has to say something or to end on its own"
  exit 1
}
[ "$took" -lt $((delay_ms / 2)) ] || { echo "$address port $port: a round trip takes $took ms even now"; exit 1; }
"""


class ComponentDelay(HeldComponent, frozen=True, tag="component-delay"):
    """Delay a component's TCP port, and see what the application makes of a slow event bus."""

    needs: ClassVar[tuple[str, ...]] = ("firewall", "iptables-restore", "systemctl", "ss", "python3", "awk")

    delay_ms: Annotated[int, msgspec.Meta(ge=10, le=60_000)] = 1000
    """How much later everything arrives that the component says at its port, in milliseconds."""

    @property
    def summary(self) -> str:
        """Like `component-delay of eventbus by 1000 ms, held for 20 s`."""
        return f"{self.kind} of {self.component} by {self.delay_ms} ms{self.how}, held for {self.hold_s:g} s"

    def blast_radius(self, target: Target) -> str:
        """One port."""
        port = target_of(self, target).port
        return (
            f"What the {self.component} of {target.units[0]} on {target.node} says at its TCP port {port} arrives "
            f"{self.delay_ms} ms later for {self.hold_s:g} s; connections that are open at its begin "
            "and at its end are cut and have to be made anew; no other port is touched."
        )

    def scripts(self, target: Target) -> Scripts:
        """A delaying proxy on the node, to which a chain of its own leads what goes to the port."""
        if self.via == "endpoint":
            return by_endpoint(self, target, f"delay?ms={self.delay_ms}")
        sign = zlib.crc32(target.run.encode()) >> 2 | 1 << 30  # a mark that nobody else is likely to use
        chain = own_chain.named(target, "nat", "filter")
        port = f"{names(self, target)}delay_ms={self.delay_ms} sign={sign}\n"
        head = shell.head(target)
        return Scripts(
            inject=f"{shell.head(target, mark=self.kind)}{chain}{port}{own_chain.LAY}{_INJECT}",
            effect=f"{head}{chain}{port}{PORT}{_ASK}find_port\n{_EFFECT}",
            revert=f"{head}{chain}{own_chain.REVERT}{shell.stop_marked(self.kind)}",
            clean=f"{head}{shell.none_marked(self.kind, target)}tables='nat filter'\n{own_chain.CLEAN}",
            preflight=f"set -eu\ntables='nat filter'\n{port}{own_chain.MAY_CHANGE}{RAILS}{PORT}{_ASK}{_PREFLIGHT}",
        )
