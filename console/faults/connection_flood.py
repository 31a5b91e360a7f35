"""Open connections to a PostgreSQL database and hold them."""

from __future__ import annotations

import shlex
from typing import Annotated, ClassVar, Literal

import msgspec

from console.errors import Refused
from console.faults import shell
from console.faults.base import DatabaseTarget, Held, Scripts, Target
from console.terms import Risk

REFUSALS = (
    "too many clients",
    "too many connections for role",
    "too many connections for database",
    "remaining connection slots are reserved",
)
"""What PostgreSQL says when it is out of connections. A refused login has no SQLSTATE in libpq: only its text tells."""

_FACTS = """\
facts() { # connections now | of ordinary roles at most | in all | 1 if this role may pass that limit
  psql -XwqAt -F' ' -c "
    select (select count(*) from pg_stat_activity
        where usesysid is not null and coalesce(backend_type, 'client backend') = 'client backend') - 1,
      m - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true), '0')::int, m,
      coalesce(pg_has_role(current_user, to_regrole('pg_use_reserved_connections'), 'member'), rolsuper)::int
    from (select current_setting('max_connections')::int m) s, pg_roles where rolname = current_user" 2>&1
}
"""

_PREFLIGHT = """\
said=$(facts) || { echo "psql cannot log in as $PGUSER: $said"; exit 1; }
set -- $said
used=$1 ordinary=$2 super=$4
[ "$super" = 0 ] || { echo "$PGUSER may take the reserved slots: name an ordinary role"; exit 1; }
if [ "$want" != limit ] && [ $((used + want)) -lt "$ordinary" ]; then
  echo "$used in use and $want more do not reach the $ordinary for ordinary roles: set connections=limit"
  exit 1
fi
"""

_INJECT = """\
facts >facts || { echo "psql cannot log in as $PGUSER:"; cat facts; exit 1; }
read -r used ordinary all super <facts
[ "$super" = 0 ] || { echo "$PGUSER may take the reserved slots: they must stay free"; exit 1; }
goal=$want
[ "$goal" != limit ] || goal=$all
mkfifo hold
: >opened
n=0 got=0
some() { # N: open N sessions at once; false when one was refused
  first=$((n + 1)) last=$((n + $1)) tries=200 refused=0
  while [ $n -lt $last ]; do
    n=$((n + 1))
    # An ordinary session: it says `up` once it is in, then waits for a statement that never comes.
    psql -XwqAt -c '\\echo up' -f - 0<>hold >"said.$n" 2>&1 &
    echo $! >"pid.$n"
  done
  for i in $(seq $first $last); do
    while [ ! -s "said.$i" ] && [ $tries -gt 0 ]; do tries=$((tries - 1)); sleep 0.05; done
    if grep -qx up "said.$i"; then cat "pid.$i" >>opened; got=$((got + 1))
    elif grep -qE "$refusal" "said.$i"; then mv "said.$i" refused; refused=1
    else echo "session $i failed:"; cat "said.$i"; exit 1; fi
  done
  return $refused
}
while [ $((got + 10)) -le "$goal" ] && some 10; do :; done
while [ $got -lt "$goal" ] && some 1; do :; done # sessions that come together are refused too early
: >finished
if [ "$want" = limit ]; then # take the slots that others give up
  while sleep 1; do while some 1; do :; done; done >keeper 2>&1 &
fi
"""

_EFFECT = """\
[ -f opened ] || { echo 'no session was opened'; exit 1; }
sessions() { wc -l <opened | tr -d ' '; }
[ -f finished ] || { echo "in progress: $(sessions) opened"; exit 3; }
read -r used ordinary all super <facts
tries=3 # a slot that another client gave up is taken again within a second
while said=$(facts); do
  tries=$((tries - 1))
  if [ $tries = 0 ]; then
    echo "$(sessions) opened, ${said%% *} of $ordinary used: the limit is not reached, set connections=limit"
    exit 1
  fi
  sleep 1
done
echo "$said" | grep -qE "$refusal" || { echo "$said"; exit 2; }
held=$(marked "GAMEDAY_FAULT=connection-flood $GAMEDAY_DIR" | grep -cxFf opened) ||
  { echo "none of the $(sessions) sessions is held, but connections are refused: $said"; exit 1; }
echo "$held sessions held of $ordinary for ordinary roles ($all in all); a new one is refused: ${said#psql: error: }"
"""

_CLEAN = """\
if left=$(psql -XwqAt -c "select count(*) from pg_stat_activity
  where application_name like 'gameday-fault-%' and pid <> pg_backend_pid()" 2>&1)
then [ "$left" = 0 ] || { echo "$left sessions named gameday-fault-* are still open"; exit 1; }
elif echo "$left" | grep -qE "$refusal"; then echo "connections are still refused: $left"; exit 1; fi
"""
"""Where no login is possible for another reason, the absence of our processes is the proof: a session dies with its
psql, and a dead database is no trace of ours."""


class ConnectionFlood(Held, frozen=True, tag="connection-flood"):
    """Open connections to a PostgreSQL database and hold them."""

    risk_floor: ClassVar[Risk] = Risk.MEDIUM
    needs: ClassVar[tuple[str, ...]] = ("psql", "mkfifo")
    needs_database: ClassVar[bool] = True

    connections: Annotated[int, msgspec.Meta(ge=1, le=5000)] | Literal["limit"] = 50
    """How many to open; `limit`: until the database refuses."""

    @property
    def summary(self) -> str:
        """Like `connection-flood up to the limit, held for 30 s`."""
        how_many = "up to the limit" if self.connections == "limit" else self.connections
        return f"{self.kind} {how_many}, held for {self.hold_s:g} s"

    def inject_limit_s(self, target: Target) -> float:
        """Some 10 ms of a core for each session: a server with thousands of slots takes its time."""
        return 60.0 if self.connections == "limit" else max(10.0, self.connections * 0.1)

    def blast_radius(self, target: Target) -> str:
        """Every ordinary role of the whole server, not only of one database."""
        database = _database(target)
        return (
            f"No ordinary role gets a new connection to any database of {database.host}:{database.port} on "
            f"{target.node} for {self.hold_s:g} s; open sessions and the superusers' reserved slots are left alone."
        )

    def scripts(self, target: Target) -> Scripts:
        """Sessions of psql on the node itself, so that nothing depends on the console being alive."""
        head = f"{shell.head(target)}{_connect(target)}"
        want = f"want={self.connections}\n"
        return Scripts(
            inject=f"{shell.head(target, mark=self.kind)}{_connect(target)}{want}{_FACTS}{_INJECT}",
            effect=f"{head}{shell.MARKED}{_FACTS}{_EFFECT}",
            revert=f"{shell.head(target)}{shell.stop_marked(self.kind)}",
            clean=f"{head}{shell.none_marked(self.kind, target)}{_CLEAN}",
            preflight=f"set -eu\n{_connect(target)}{want}{_FACTS}{_PREFLIGHT}",
        )


def _database(target: Target) -> DatabaseTarget:
    if target.database is None:
        raise Refused(f"connection-flood on {target.node} needs a database")
    return target.database


def _connect(target: Target) -> str:
    """Where psql connects to, and what the server may answer when it is full."""
    refusal = shlex.quote("|".join(REFUSALS))
    return f"{shell.connect(_database(target), f'gameday-fault-{target.run}')}refusal={refusal}\n"
