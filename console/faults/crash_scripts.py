"""The shell texts of postgres-crash: aim at one cluster, back it up, write through the crash, kill, bring back."""

from __future__ import annotations

AIM = """\
fail() { echo "$*"; exit 1; }
up() { if [ -r /proc/uptime ]; then read -r at _ </proc/uptime; else at=$(date +%s); fi; }
ask_db() { psql -XwqAt -v ON_ERROR_STOP=1 -c "$1" 2>&1; }
aim() { # the postmaster of the cluster that answers: its $main and its folder $data; false with why in $said
  said=$(psql -XwqAt -v ON_ERROR_STOP=1 2>&1 <<'END'
select pg_backend_pid() as pid \\gset
\\setenv BACKEND :pid
\\! if [ -d /proc/self ]; then sed 's/.*) //' /proc/$BACKEND/stat | cut -d' ' -f2; else ps -o ppid= -p $BACKEND; fi
show data_directory;
END
  ) || { said="psql cannot log in as $PGUSER or see data_directory: $said"; return 1; }
  main=$(echo "$said" | sed -n 1p | tr -d ' ') data=$(echo "$said" | tail -n 1)
  case $main in '' | *[!0-9]* | 0 | 1) said="the server at $PGHOST:$PGPORT runs somewhere else: $said"; return 3 ;; esac
  [ "$(sed -n 1p "$data/postmaster.pid" 2>&1)" = "$main" ] ||
    { said="$data/postmaster.pid does not name the process $main that serves $PGHOST:$PGPORT"; return 3; }
}
in_time() { # is the maintenance window open by this node's clock?
  [ "$(date +%s)" -ge "$first" ] && [ "$(date +%s)" -le "$last" ]
}
"""
"""Which processes are meant is told by the server itself: the parent of the backend that serves us, which must be the
one that the cluster's own folder names. Never a process's name."""

PREFLIGHT = """\
bad=0
no() { echo "$1"; echo "fix: $2"; bad=3; }
in_time || no "by the clock of this node ($(date -u +%H:%M:%S) UTC) the maintenance window is not open" \
  'make a new plan with --window START/END, or set the clock'
aim || { code=$?; echo "$said"; exit $code; }
facts=$(ask_db "select pg_database_size(current_database()) / 1024, has_schema_privilege('public', 'create'),
  (select count(*) from pg_class c join pg_namespace s on s.oid = relnamespace where relkind in ('r', 'p', 'S', 'm')
    and nspname <> 'information_schema' and nspname !~ '^pg_' and not has_table_privilege(c.oid, 'select')),
  pg_is_in_recovery(), (select string_agg(relname, ' ') from pg_class
    where relname ~ '^gameday_writer_' and relkind = 'r')") ||
  fail "the database does not tell what must be known: $facts"
IFS='|' read -r size create unreadable standby left <<END
$facts
END
[ "$standby" = f ] || no 'this server is a standby: it cannot be written to' 'name the primary in the inventory'
[ "$create" = t ] || no "$PGUSER may make no table" "grant create on schema public to $PGUSER"
[ "$unreadable" = 0 ] || no "$PGUSER may not read $unreadable tables" "grant pg_read_all_data to $PGUSER"
[ -z "$left" ] || no "an earlier run left $left" "drop table $left"
if [ -d "$folder" ] && [ -w "$folder" ]; then
  free=$(df -kP "$folder" | awk 'NR == 2 { print $4 }')
  need=$((size + size / 10 + 1024))
  [ "$free" -ge $need ] || no "$folder has $((free / 1024)) MiB free, a backup may need $((need / 1024)) MiB" \
    'make room, or name another backup_dir in the inventory'
else no "the backup folder $folder is not there, or cannot be written to" "mkdir -m 700 $folder"; fi
case $(systemctl show -p Restart --value "$unit") in
always | on-failure | on-abnormal | on-abort) ;;
*) echo "warning: $unit has no Restart= that covers a kill: the database may stay down" ;;
esac
exit $bad
"""

BACKUP = """\
backup() { # a whole backup in $folder, proven to be one; else nothing, and why
  new=$folder/$prefix$(date -u +%Y%m%dT%H%M%SZ)-$run.sql.gz
  echo "$new.partial" >partial
  keep partial
  # A pipe ends with gzip's status alone: that pg_dump came to its end is told by a file.
  { pg_dump -w --lock-wait-timeout=10s 2>dump.said && : >dumped; } | gzip -c 2>gzip.said >"$new.partial" || : >broken
  [ -e dumped ] && [ ! -e broken ] ||
    fail "the backup failed, nothing was killed: $(cat dump.said gzip.said 2>/dev/null | tr '\\n' ' ')"
  gzip -t "$new.partial" && [ -s "$new.partial" ] || fail 'the backup does not pass gzip -t, nothing was killed'
  gzip -dc "$new.partial" | tail -n 20 | grep -q 'PostgreSQL database dump complete' ||
    fail 'the backup is not whole, nothing was killed'
  [ "$(id -u)" != 0 ] || chown "$(ls -ldn "$folder" | awk '{ print $3 ":" $4 }')" "$new.partial"
  mv "$new.partial" "$new"
  rm -f partial "$GAMEDAY_UNDO/partial"
  echo "$new ($(wc -c <"$new" | tr -d ' ') bytes)" >backup
  set -- "$folder/$prefix"[0-9]???????T??????Z-????????.sql.gz
  while [ $# -gt 3 ]; do rm -f "$1"; shift; done
}
"""

WRITER = """\
rows() { # numbered rows, one at a time, until killed. In `writes`: + a session, ? asked for, ! acknowledged
  set +e
  n=0 was=none tried= second=
  while :; do
    rm -f ask told
    mkfifo ask told
    up
    began=$at
    echo + >>writes
    psql -XwqAt -v ON_ERROR_STOP=1 <ask >told 2>psql.said &
    exec 3<>ask 4<told
    while n=$((n + 1)); do
      echo "? $n" >>writes
      echo "insert into $table values ($n, repeat(md5('$n'), 8)) returning n;" >&3
      # psql tells the row once the server has told that it is committed.
      read -r got <&4 && [ "$got" = $n ] || break
      echo "! $n" >>writes
      up
      if [ $was != ok ]; then echo "ok ${tried:-$began} $at row $at" >>watch
      elif [ "${at%.*}" != "$second" ]; then echo "same $at" >>watch; fi
      was=ok second=${at%.*} good=$at
      sleep 0.05
    done
    exec 3>&- 4<&-
    wait $!
    up
    tried=$began
    if [ $was = ok ]; then echo "fail $good $at lost $at" >>watch; was=fail tried=$at; fi
    sleep 0.05
  done
}
"""

STRIKE = """\
echo 'a backup is being made' >phase
in_time || fail 'by the clock of this node the maintenance window is not open: nothing was killed'
aim || fail "$said"
backup
echo 'the writer begins' >phase
: >table
keep table
# On the disk whatever the server's own setting is: that setting is for the rows to show.
ask_db "set synchronous_commit = on; create table $table (n bigint primary key, body text not null)" >made ||
  fail "the writer's table cannot be made, nothing was killed: $(cat made)"
: >writes
rows </dev/null >writer.out 2>&1 &
tries=300
until [ "$(grep -c '^!' writes)" -ge 40 ]; do
  tries=$((tries - 1))
  [ $tries -gt 0 ] || fail "the writer got $(grep -c '^!' writes) rows in, nothing was killed: $(cat psql.said)"
  sleep 0.1
done
aim || fail "nothing was killed: $said"
in_time || fail 'the maintenance window closed meanwhile, by the clock of this node: nothing was killed'
echo "$data" >data
pids=$main
echo "$main $(alive "$main")" >postmaster
if [ "$only" != postmaster ]; then
  kill -STOP "$main" # so that it starts no other meanwhile
  pids=$(ps -A -o pid= -o ppid= | awk -v main="$main" '$1 == main || $2 == main { print $1 }')
fi
for pid in $pids; do
  start=$(alive "$pid")
  [ -z "$start" ] || echo "$pid $start"
done >victims
echo '#' >>writes
up
before=$at
kill -9 $pids 2>/dev/null || : # one that has just ended by itself is not there
tries=100
while read -r pid start; do
  while [ "$(alive "$pid")" = "$start" ] && [ $tries -gt 0 ]; do tries=$((tries - 1)); sleep 0.05; done
done <victims
up
echo "gone $before $at $at" >>watch
echo "$at" >struck
"""
"""The postmaster stands still for the moment between the list of its children and the kill; if this ends there, the
revert lets it go on."""

EFFECT = """\
[ -f struck ] || { [ ! -f phase ] || { echo "in progress: $(cat phase)"; exit 3; }; echo 'nothing was killed'; exit 1; }
while read -r pid start; do
  [ "$(alive "$pid")" != "$start" ] || fail "pid $pid is still there"
done <victims
read -r pid start <postmaster
echo "killed and gone: $(wc -l <victims | tr -d ' ') processes of the cluster in $(cat data), postmaster $pid"
echo "backup first: $(cat backup)"
up
echo "struck: $(echo "$at $(cat struck)" | awk '{ printf "%.2f", $1 - $2 }') s ago"
"""

REVERT = """\
if [ -f postmaster ]; then
  read -r pid start <postmaster
  [ "$(alive "$pid")" != "$start" ] || kill -CONT "$pid" 2>/dev/null || :
fi
if [ -f partial ]; then rm -f "$(cat partial)"; fi
answers() { said=$(ask_db 'select 1'); }
answers_within() { # SECONDS
  up
  end=$((${at%.*} + $1))
  until answers; do
    up
    [ "${at%.*}" -lt $end ] || return 1
    sleep 0.3
  done
}
state() { systemctl show -p ActiveState --value "$unit"; }
if [ -s victims ] && ! answers; then
  # What is about to come back by itself is not helped.
  case $(state) in active | activating | reloading) answers_within 10 || : ;; esac
  if ! answers; then
    systemctl reset-failed "$unit" >/dev/null 2>&1 || :
    verb=start
    [ "$(state)" != active ] || verb=restart
    systemctl $verb "$unit" || echo "systemctl $verb $unit failed"
    answers_within 60 || fail "$unit was told to $verb, and the database still does not answer: $said"
    echo "restored: $unit"
  fi
fi
if [ -f table ]; then
  answers_within 10 || : # after a reboot it may just be starting
  said=$(ask_db "set lock_timeout = '5s'; set client_min_messages = warning; drop table if exists $table") ||
    fail "the writer's table $table is not dropped: $said"
  : >dropped
fi
"""

CLEAN = """\
bad=0
for file in "$folder"/gameday-*.partial; do
  [ ! -e "$file" ] || { echo "half a backup is left: $file"; bad=1; }
done
if [ -f postmaster ] && read -r pid start <postmaster && [ "$(alive "$pid")" = "$start" ] &&
  ps -A -o pid= -o stat= | awk -v pid="$pid" '$1 == pid && $2 ~ /^T/ { found = 1 } END { exit !found }'
then echo "the postmaster $pid is stopped"; bad=1; fi
if left=$(ask_db "select string_agg(relname, ' ') from pg_class where relname ~ '^gameday_writer_' and relkind = 'r'")
then [ -z "$left" ] || { echo "tables are left: $left"; bad=1; }
elif [ -f table ] && [ ! -f dropped ]; then
  echo "whether $table is dropped cannot be told: $left"
  [ $bad = 1 ] || exit 2
fi
exit $bad
"""
"""Where no login is possible and this run made no table, there is none of it."""
