"""A firewall chain of a run's own: laid in one transaction a table, and taken away whole, whatever else is there."""

from __future__ import annotations

import shlex

from console.errors import Refused
from console.faults.base import Target

CHAIN_CHARS = 28
"""The longest name of a chain (XT_EXTENSION_MAXNAMELEN in the kernel's x_tables.h, less the final zero)."""
RUN_CHARS = CHAIN_CHARS - len("GAMEDAY--99")

REFUSE = """\
refuse() { echo "$1"; echo "fix: $2"; exit 3; }
"""

MAY_CHANGE = f"""\
{REFUSE}[ "$(id -u)" = 0 ] || refuse 'only root may change the firewall' 'let the console use sudo on this node'
for table in $tables; do
  said=$(iptables -w 5 -t "$table" -S 2>&1) ||
    refuse "iptables cannot be used: $said" 'install iptables, or load its kernel modules'
done
"""

LAY = """\
lay() { # RULES: for IPv4, and for IPv6 where the node has it: each table at once, or not at all
  iptables-restore -w 5 --noflush <"$1"
  for table in $tables; do ip6tables -w 5 -t "$table" -S >/dev/null 2>&1 || return 0; done
  : >six
  ip6tables-restore -w 5 --noflush <"${2:-$1}"
}
"""

REVERT = """\
left() { # IPTABLES TABLE: what of our chain is there. Nothing is written: the disk may be full
  command -v "$1" >/dev/null || return 0
  if rules=$("$1" -w 5 -t "$2" -S 2>&1); then
    printf '%s\\n' "$rules" | sed -n "/^-N $chain\\$/p; /^-A .*-j $chain\\$/p"
  else case $1 in
    iptables) [ ! -e rules ] || printf '%s\\n' "$rules" ;;
    *) [ ! -e six ] || printf '%s\\n' "$rules" ;; esac; fi
}
for table in $tables; do
  for tool in iptables ip6tables; do
    tries=3
    while found=$(left $tool "$table") && [ "$found" ]; do
      [ $tries -gt 0 ] || { printf '%s, %s: this is left:\\n%s\\n' "$tool" "$table" "$found"; exit 1; }
      tries=$((tries - 1))
      {
        echo "*$table"
        printf '%s\\n' "$found" | sed -n 's/^-A/-D/p'
        printf '%s\\n' "-F $chain" "-X $chain" COMMIT
      } | "$tool-restore" -w 5 --noflush || sleep 0.2
    done
  done
done
"""

CLEAN = """\
for table in $tables; do
  for tool in iptables ip6tables; do
    if ! rules=$("$tool" -w 5 -t "$table" -S 2>&1); then
      case $tool in ip6tables) command -v ip6tables >/dev/null && [ -e /proc/net/if_inet6 ] || continue ;; esac
      echo "$tool, $table: $rules"
      exit 2
    fi
    found=$(printf '%s\\n' "$rules" | grep -e GAMEDAY- -e '"gameday ' || :)
    [ ! "$found" ] || { printf '%s, %s:\\n%s\\n' "$tool" "$table" "$found"; exit 1; }
  done
done
"""


def named(target: Target, *tables: str) -> str:
    """The shell variables of a run's chain: run, chain, mark and the tables in which it lies.

    Raises:
        Refused: the run id does not fit into a chain's name.
    """
    if len(target.run) > RUN_CHARS:
        raise Refused(f"the run id {target.run} is too long for a chain's name")
    return (
        f"run={shlex.quote(target.run)} tables='{' '.join(tables)}'\n"
        'chain=GAMEDAY-$run-${GAMEDAY_DIR##*/}\nmark="-m comment --comment \\"gameday $run\\""\n'
    )
