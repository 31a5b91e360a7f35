"""Pieces of POSIX sh about one TCP port of a service: where it listens, whose it is, what it answers."""

from __future__ import annotations

import shlex

from console.faults.base import Target
from console.faults.component import ComponentFault, target_of

PORT = """\
find_port() { # sets address: where the port is answered, as the node itself reaches it
  found=$(ss -Hltn "sport = :$port" | awk 'NR == 1 { sub(/:[0-9]+$/, "", $4); print $4 }')
  case $found in
  '') echo "nothing listens on port $port: is $unit up?"; exit 1 ;;
  '*' | 0.0.0.0) address=127.0.0.1 ;;
  '[::]') address=::1 ;;
  *) address=${found#[}; address=${address%]}; address=${address%%%*} ;;
  esac
}
"""

RAILS = """\
set -- ${GAMEDAY_CONSOLE-}
[ "${2-}" != "$port" ] || refuse "port $port is the one by which the console comes in" 'name the port of a component'
"""
"""Refused where it is the way back in."""

ANSWERS = """\
knock() { # sets how: taken, refused, or not answered within 1 s
  timeout 1 bash -c ": <'/dev/tcp/$address/$port'" 2>/dev/null && how=taken || case $? in
  124) how='not answered within 1 s' ;; *) how=refused ;; esac
}
"""


def names(fault: ComponentFault, target: Target) -> str:
    """The shell variables that these pieces use."""
    component = target_of(fault, target)
    unit, name = shlex.quote(target.units[0]), shlex.quote(component.name)
    return f"unit={unit} name={name} port={component.port}\n"
