"""Pieces of POSIX sh that several faults share. They run on the node in dash, bash and busybox alike."""

from __future__ import annotations

import shlex

from console.errors import Refused
from console.faults.base import DatabaseTarget, Target

UNTOUCHABLE_UNITS = frozenset({"init.scope", "ssh", "sshd", "ssh.service", "sshd.service", "ssh.socket", "sshd.socket"})
"""Pid 1 and the way back in: never a target."""

ALIVE = """\
alive() { # PID: when it started; empty when it is gone
  if [ -d /proc/self ]; then sed -n 's/.*) [^ZX] //p' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f19
  else ps -o lstart= -p "$1" || :; fi
}
"""
"""A pid alone may be another process by now: with its start time (field 22 of stat) it is not."""

MEMBERS_OF = """\
in_group() {
  case $group in /?*) cat "/sys/fs/cgroup$group/cgroup.procs" "/sys/fs/cgroup/systemd$group/cgroup.procs" ;; esac
}
members_of() { # MAIN: pids of $unit: its cgroup, that process and all below it; never this script or what started it
  group=$(systemctl show -p ControlGroup --value "$unit")
  { in_group 2>/dev/null || :; echo; ps -A -o pid= -o ppid=; } | awk -v main="$1" -v me=$$ '
    NF == 1 { member[$1] }
    NF == 2 { parent[$1] = $2 }
    END {
      for (p = me; p in parent; p = parent[p]) own[p]
      for (pid in parent) { for (p = pid; p in parent && p != main; ) p = parent[p]; if (p == main) member[pid] }
      for (pid in member) if (pid > 1 && !(pid in own)) print pid
    }'
}
"""

MEMBERS = f"""\
{MEMBERS_OF}args() {{ if [ -d /proc/self ]; then tr '\\0' ' ' <"/proc/$1/cmdline"; else ps -ww -o args= -p "$1"; fi; }}
main=$(systemctl show -p MainPID --value "$unit")
[ "${{main:-0}}" -gt 1 ] || {{ echo "$unit has no main process: nothing was signalled"; exit 1; }}
members=$(members_of "$main")
"""
"""What a unit consists of: `main` and `members`; and `args PID`, a process's command line."""

MARKED = """\
marked() { # MARK: pids of the living processes that carry this text in their environment
  if [ -d /proc/self ]; then grep -lszF "$1" /proc/[0-9]*/environ | cut -d/ -f3
  else ps -AEww -o pid= -o command= | awk -v mark="$1" 'index($0, mark) && !/awk -v mark/ { print $1 }'; fi
}
"""

RESTORE = """\
[ -f was-active ] || { echo 'nothing was done, nothing to take back'; exit 0; }
failed=0
while read -r unit; do
  state=$(systemctl show -p ActiveState --value "$unit" </dev/null)
  case $state in active | activating | reloading) continue ;; esac
  systemctl reset-failed "$unit" </dev/null >/dev/null 2>&1 || :
  if systemctl start "$unit" </dev/null; then echo "restored: $unit"; else
    echo "$unit is $state and cannot be started"
    failed=1
  fi
done <was-active
exit $failed
"""
"""Start what was active before the blow and is down now, and nothing else."""

MAY_START = """\
seconds() { awk '/infinity/ { print 1e9; exit } {
  unit["us"] = 1e-6; unit["ms"] = 1e-3; unit["s"] = unit[""] = 1; unit["min"] = 60; unit["h"] = 3600; unit["d"] = 86400
  for (i = 1; i <= NF; i++) { u = $i; sub(/^[0-9.]+/, "", u); s += $i * unit[u] }
  print s + 0 }'; }
get() { systemctl show -p "$1" --value "$unit"; }
ready() { # is $unit active, and would one more start stay below its start limit?
  state=$(get ActiveState)
  [ "$state" = active ] || { echo "$unit is ${state:-unknown}, not active"; return 1; }
  awk -v unit="$unit" -v burst="$(get StartLimitBurst)" -v window="$(get StartLimitIntervalUSec | seconds)" \\
    -v restarts="$(get NRestarts)" -v at="$(get ExecMainStartTimestampMonotonic)" \\
    -v now="$(cut -d' ' -f1 /proc/uptime)" 'BEGIN {
      age = now - at / 1e6
      if (burst > 0 && at > 0 && age >= 0 && age < window && restarts + 2 > burst) {
        printf "%s was started %.0f s ago after %d restarts: one more may exceed its start limit", unit, age, restarts
        printf " of %d in %g s; wait %.0f s\\n", burst, window, window - age + 1
        exit 1
      } }'
}
"""
"""systemd does not tell how many starts it has counted, so a unit in a row of restarts that is younger than the window
is taken to have used them all."""

KEEP = """\
keep() { # FILE: what inject has noted in it, in GAMEDAY_DIR, is there after a reboot too
  [ "$GAMEDAY_UNDO" = "$GAMEDAY_DIR" ] || cp "$1" "$GAMEDAY_UNDO/$1"
  sync "$GAMEDAY_UNDO/$1" "$GAMEDAY_UNDO"
}
"""
"""For inject of a fault that survives a reboot: note, keep, and only then make."""


def head(target: Target, *, mark: str = "") -> str:
    """How each script begins: strict, in the run's folder; with `mark`, a kind of fault, as inject does.

    inject starts itself again, so that it and all that it starts carry the kind and the folder in their environment,
    where only what a process was started with can be seen. The folder makes the mark the node's own, where several
    nodes are one machine.
    """
    again = f"""\
mark={shlex.quote(mark)}" $GAMEDAY_DIR"
[ "${{GAMEDAY_FAULT:-}}" = "$mark" ] || exec env GAMEDAY_FAULT="$mark" GAMEDAY_RUN={shlex.quote(target.run)} sh "$0"
"""
    return f'set -eu\n{again if mark else ""}cd "$GAMEDAY_DIR"\n'


def stop_marked(kind: str) -> str:
    """For revert: kill what inject of this run started, inject included, and wait until it is gone (5 s at most)."""
    return f"""\
{MARKED}mine() {{ marked "GAMEDAY_FAULT={kind} $GAMEDAY_DIR"; }}
tries=50
while left=$(mine) && [ -n "$left" ]; do
  [ $tries -gt 0 ] || {{ echo "cannot be killed:" $left; exit 1; }}
  tries=$((tries - 1))
  kill -9 $left 2>/dev/null || :
  sleep 0.1
done
"""


def none_marked(kind: str, target: Target) -> str:
    """For clean: exit 1 when any run's inject of this kind left a process on this node."""
    return f"""\
{MARKED}left=$(marked "GAMEDAY_FAULT={kind} ${{GAMEDAY_DIR%%/{target.run}*}}/")
[ -z "$left" ] || {{ echo "processes of {kind} are left:" $left; exit 1; }}
"""


def refuse_untouchable(target: Target) -> None:
    """That no unit is pid 1's or the SSH server's.

    Raises:
        Refused: one is.
    """
    hit = [unit for unit in target.units if unit in UNTOUCHABLE_UNITS]
    if hit:
        raise Refused(f"{hit[0]} on {target.node} is never a target: without it there is no way back in")


_DIRECT = """\
case $(readlink -f "$(command -v psql)") in
*/pg_wrapper) # Debian's: a script that spends 20 ms of a core on finding the newest of these
  for dir in /usr/lib/postgresql/[1-9][0-9]/bin; do [ ! -x "$dir/psql" ] || PATH=$dir:$PATH; done ;;
esac
"""


def connect(database: DatabaseTarget, name: str) -> str:
    """Where psql connects to, by the environment, and as which application; PostgreSQL's own programs come first.

    The password comes from ~/.pgpass on the node.
    """
    where = {
        "PGHOST": database.host,
        "PGPORT": str(database.port),
        "PGDATABASE": database.dbname,
        "PGUSER": database.user,
        "PGAPPNAME": name,
        "PGCONNECT_TIMEOUT": "5",
    }
    return f"{_DIRECT}export {' '.join(f'{key}={shlex.quote(value)}' for key, value in where.items())}\n"
