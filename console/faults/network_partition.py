"""Cut a node off from another one, and see what both make of it."""

from __future__ import annotations

import shlex
from typing import Annotated, ClassVar

import msgspec

from console.errors import Refused
from console.faults import shell
from console.faults.base import Held, Scripts, Target
from console.faults.own_chain import RUN_CHARS
from console.terms import Risk

_PEERS = """\
refuse() { echo "$1"; echo "fix: $2"; exit 3; }
rules() { "$1" -w 5 -S 2>&1; } # IPTABLES
route() { ip route get "$1" 2>&1 | sed -n '1s/^local //; 1p'; } # its first word: the address as the kernel writes it
known() { # every address of the peer that this node knows
  for name in $names; do
    case $name in
    *:*) echo "$name" ;;
    *[!0-9.]*) getent ahosts "$name" | cut -d' ' -f1 ;;
    *) echo "$name" ;;
    esac
  done | sort -u
}
find_peers() { # sets peers4, peers6, console, its port and its firewall home; refuses what must never be cut
  better="set peer_address of $peer in the inventory"
  other="take another peer: without $peer the console could not reach this node"
  [ "$(id -u)" = 0 ] || refuse 'only root may change the firewall' 'let the console use sudo on this node'
  said=$(rules iptables) || refuse "iptables cannot be used: $said" 'install iptables, or load its kernel modules'
  set -- ${GAMEDAY_CONSOLE-}
  [ "${2-}" ] || refuse 'it cannot be told from where the console reaches this node' 'let sshd set SSH_CONNECTION'
  port=$2 back=$(route "$1")
  console=${back%% *} peers4='' peers6=''
  case $console in
  *:*) home=ip6tables ;;
  [0-9]*.*) home=iptables ;;
  *) echo "no way leads back to the console: $back"; exit 1 ;;
  esac
  found=$(known)
  [ "$found" ] || refuse "$names: this node knows no address of $peer" "$better"
  for address in $found; do
    way=$(ip route get "$address" 2>&1 | head -n 1) || :
    case $way in
    local*) refuse "$address is this node itself, not $peer" "$better" ;;
    broadcast* | multicast*) refuse "$address is no single machine" "$better" ;;
    esac
    address=${way%% *}
    case "$address" in "$console") refuse "the console reaches this node from $address" "$other" ;; esac
    case " $back " in *" via $address "*) refuse "the way back to the console leads over $address" "$other" ;; esac
    case $address in
    *:*) peers6="$peers6 $address" ;;
    [0-9]*.*) peers4="$peers4 $address" ;;
    *) echo "no way leads from here to $found: $way"; exit 1 ;;
    esac
  done
  [ ! "$peers6" ] || rules ip6tables >/dev/null 2>&1 ||
    refuse "$peer has$peers6, and ip6tables cannot be used" 'install ip6tables, or load its kernel modules'
}
"""

_ANSWERS = """\
answers() { # ADDRESS: does it answer a ping, or let TCP in?
  ping -n -q -c 1 -W 1 "$1" >/dev/null 2>&1 || timeout 1 bash -c ": </dev/tcp/$1/$peer_port" 2>/dev/null
}
"""

_PREFLIGHT = """\
find_peers
silent=''
for address in $peers4 $peers6; do answers "$address" || silent="$silent $address"; done
if [ "$silent" = "$peers4$peers6" ]; then
  echo "$peer does not answer at$silent, neither a ping nor on TCP port $peer_port: something cuts it off already"
  exit 1
fi
[ ! "$silent" ] || echo "warning: $peer does not answer at$silent even now"
[ "$peers6" ] || echo "warning: this node knows no IPv6 address of $peer: only IPv4 is cut"
"""

_INJECT = """\
find_peers
cut_off() { # IPTABLES SWITCH ADDRESS...: all at once, or nothing
  tool=$1 switch=$2
  shift 2
  [ $# -gt 0 ] || return 0
  {
    echo '*filter'
    echo ":$chain - [0:0]"
    if [ "$tool" = "$home" ]; then
      echo "-A $chain -s $console -p tcp --dport $port $mark -j RETURN"
      echo "-A $chain -d $console -p tcp --sport $port $mark -j RETURN"
    fi
    for address do
      echo "-A $chain -s $address $mark -j DROP"
      echo "-A $chain -d $address $mark -j DROP"
    done
    for hook in INPUT OUTPUT; do echo "-I $hook 1 $mark -j $chain"; done
    [ "$(cat "/proc/sys/net/$switch")" = 0 ] || echo "-I FORWARD 1 $mark -j $chain"
    echo COMMIT
  } >"rules.$tool"
  "$tool-restore" -w 5 --noflush <"rules.$tool"
}
cut_off iptables ipv4/ip_forward $peers4
cut_off ip6tables ipv6/conf/all/forwarding $peers6
: >finished
"""

_EFFECT = """\
[ -e finished ] || { echo 'in progress: the rules are not all there'; exit 3; }
dropped() { "$1" -w 5 -nvxL "$chain" | awk '$3 == "DROP" { n += $1 } END { print n + 0 }'; }
told=''
for tool in iptables ip6tables; do
  [ -e "rules.$tool" ] || continue
  for hook in INPUT OUTPUT; do
    case $("$tool" -w 5 -S $hook 1) in *" -j $chain") ;; *)
      echo "the first rule of $hook in $tool is not ours"
      exit 1 ;; esac
  done
  before=$(dropped "$tool") addresses=''
  for address in $(sed -n 's/^-A .* -d \\([^ ]*\\) .* -j DROP$/\\1/p' "rules.$tool"); do
    for way in -s -d; do
      "$tool" -w 5 -C "$chain" $way "$address" -m comment --comment "gameday $run" -j DROP 2>/dev/null ||
        { echo "the rule for $way $address is gone"; exit 1; }
    done
    ! answers "$address" || { echo "$peer still answers at $address"; exit 1; }
    addresses="$addresses $address"
  done
  after=$(dropped "$tool")
  [ "$after" -gt "$before" ] ||
    { echo "$peer does not answer at$addresses, but our rules dropped nothing meanwhile ($after so far)"; exit 1; }
  told="$told$peer does not answer at$addresses: $((after - before)) packets dropped just now, $after in all; "
done
[ "$told" ] || { echo 'there are no rules of ours'; exit 1; }
echo "${told%; }"
"""

_REVERT = """\
chain=GAMEDAY-$run-${GAMEDAY_DIR##*/}
left() { # IPTABLES: what of our chain is there. Nothing is written: the disk may be full
  command -v "$1" >/dev/null || return 0
  if rules=$("$1" -w 5 -S 2>&1); then printf '%s\\n' "$rules" | sed -n "/^-N $chain\\$/p; /^-A .*-j $chain\\$/p"
  elif [ -e "rules.$1" ]; then printf '%s\\n' "$rules"; fi
}
for tool in iptables ip6tables; do
  tries=3
  while found=$(left $tool) && [ "$found" ]; do
    [ $tries -gt 0 ] || { printf '%s is left:\\n%s\\n' "$tool" "$found"; exit 1; }
    tries=$((tries - 1))
    {
      echo '*filter'
      printf '%s\\n' "$found" | sed -n 's/^-A/-D/p'
      printf '%s\\n' "-F $chain" "-X $chain" COMMIT
    } | "$tool-restore" -w 5 --noflush || sleep 0.2
  done
done
"""

_CLEAN = """\
for tool in iptables ip6tables; do
  if ! rules=$("$tool" -w 5 -S 2>&1); then
    case $tool in ip6tables) command -v ip6tables >/dev/null && [ -e /proc/net/if_inet6 ] || continue ;; esac
    echo "$tool: $rules"
    exit 2
  fi
  found=$(printf '%s\\n' "$rules" | grep -e GAMEDAY- -e '"gameday ' || :)
  [ ! "$found" ] || { printf '%s:\\n%s\\n' "$tool" "$found"; exit 1; }
done
"""


class NetworkPartition(Held, frozen=True, tag="network-partition"):
    """Cut a node off from another one, and see what both make of it."""

    risk_floor: ClassVar[Risk] = Risk.MEDIUM
    needs: ClassVar[tuple[str, ...]] = ("firewall", "iptables-restore", "ip", "ping", "timeout", "awk")
    needs_peer: ClassVar[bool] = True

    hold_s: Annotated[float, msgspec.Meta(ge=1, le=600)] = 60.0
    """For how long, in seconds."""

    @property
    def revert_limit_s(self) -> float:
        """Far more than it takes, so that another program's lock on the firewall (5 s each time) is outwaited."""
        return 30.0

    def blast_radius(self, target: Target) -> str:
        """What is cut, and what is not."""
        return (
            f"Between {target.node} and {target.peer} ({', '.join(target.peers)}) nothing passes in either direction "
            f"for {self.hold_s:g} s, open connections included, over IPv4 and IPv6; everybody else reaches both, and "
            f"the console's SSH to {target.node} is exempt."
        )

    def scripts(self, target: Target) -> Scripts:
        """A chain of its own with marked rules, made and taken away in one transaction of each firewall."""
        if not target.peers:
            raise Refused(f"network-partition on {target.node}: {target.peer or 'the peer'} has no address")
        if len(target.run) > RUN_CHARS:
            raise Refused(f"network-partition: the run id {target.run} is too long for a chain's name")
        run = f"run={shlex.quote(target.run)}\n"
        chain = f'{run}chain=GAMEDAY-$run-${{GAMEDAY_DIR##*/}}\nmark="-m comment --comment \\"gameday $run\\""\n'
        peer = (
            f"peer={shlex.quote(target.peer)} peer_port={target.peer_port} "
            f"names={shlex.quote(' '.join(target.peers))}\n"
        )
        head = shell.head(target)
        return Scripts(
            inject=f"{shell.head(target, mark=self.kind)}{chain}{peer}{_PEERS}{_INJECT}",
            effect=f"{head}{chain}{peer}{_ANSWERS}{_EFFECT}",
            revert=f"{head}{shell.stop_marked(self.kind)}{run}{_REVERT}",
            clean=f"{head}{shell.none_marked(self.kind, target)}{_CLEAN}",
            preflight=f"set -eu\n{peer}{_PEERS}{_ANSWERS}{_PREFLIGHT}",
        )
