# Watch a unit's main process and its health URL from beside them. For `bash -s`, version 5 or newer; HOST PORT URLPATH
# WANTED UNIT LEASE and PROBE_LIMIT are set before. Nothing is forked while it waits, so that it costs next to nothing.
# It says, with T the node's clock in seconds (EPOCHREALTIME) and U its uptime:
#   ready PID                   the main process is seen; PID 0: there is none
#   alive T                     once in a while: the main process is still the same
#   gone LO HI U                it ended between LO and HI
#   exited STAMP                systemd tells that the unit was left by its main process at STAMP
#   scheduled STAMP             systemd tells that the restart was scheduled at STAMP
#   new PID STAMP               the unit has another main process, started at STAMP as systemd tells it
#   fail LO HI CODE U, ok ...   the URL's answer changed; LO: when the last other answer was asked for, HI: now
#   same T                      once in a while: the URL's answer has not changed until T
# It reads a line from the console now and then, and ends when none came for LEASE seconds.
set -f
export LC_ALL=C
trap '' PIPE
exec 9<> <(:) # never written to: reading from it is a sleep without a process
nap() { read -r -t "$1" -u 9; }
say() { echo "$*" 2>/dev/null || exit; }
console() { kill -0 $$ 2>/dev/null || exit; }
uptime() { read -r U _ </proc/uptime; }

# born PID: its start time in $born, empty when there is no such process; a process that waits to be reaped has one.
born() {
    local stat
    born='' state=''
    { read -r stat </proc/"$1"/stat; } 2>/dev/null || return
    set -- ${stat##*) }
    state=$1 born=${20}
}

# What systemd tells of the unit: MainPID in $pid, SubState in $sub, its stamps in $started, $exited and $scheduled.
main_process() {
    local said
    set -- -p MainPID -p SubState -p ExecMainStartTimestamp -p ActiveExitTimestamp -p InactiveExitTimestamp -- "$UNIT"
    said=$(systemctl show --timestamp=us+utc "$@" 2>/dev/null </dev/null) || said=$(systemctl show "$@" 2>/dev/null </dev/null)
    pid=0 sub='' started='' exited='' scheduled=''
    while IFS== read -r key value; do
        case $key in
        MainPID) pid=${value:-0} ;;
        SubState) sub=$value ;;
        ExecMainStartTimestamp) started=$value ;;
        ActiveExitTimestamp) exited=$value ;;
        InactiveExitTimestamp) scheduled=$value ;;
        esac
    done <<<"$said"
}

# Follow the unit from its end to its next main process, which is in $pid and $first then.
await_restart() {
    local old=$pid told_exit='' told_schedule=''
    first=
    while [ -z "$first" ]; do
        console
        main_process
        [ "$exited" = "$told_exit" ] || { told_exit=$exited; say exited "$exited"; }
        if [ "$sub" = auto-restart ] && [ "$scheduled" != "$told_schedule" ]; then
            told_schedule=$scheduled
            say scheduled "$scheduled"
        fi
        if [ "$pid" != 0 ] && [ "$pid" != "$old" ]; then born "$pid" && first=$born; fi
        [ -n "$first" ] || nap 0.1
    done
    say new "$pid" "$started"
}

watch_process() {
    local first lo=$EPOCHREALTIME beat=$SECONDS
    born "$pid"
    first=$born
    say ready "$pid"
    while [ -n "$first" ]; do
        console
        now=$EPOCHREALTIME
        born "$pid"
        if [ "$born" != "$first" ]; then
            uptime
            say gone "$lo" "$EPOCHREALTIME" "$U"
            await_restart
            lo=$EPOCHREALTIME
            continue
        fi
        [ "$state" = Z ] || lo=$now
        [ $SECONDS = $beat ] || { beat=$SECONDS; say alive "$now"; }
        nap 0.01
    done
}

ask() { # GET: the status in $code, or why there is none
    code=refused
    { exec 4<>"/dev/tcp/$HOST/$PORT"; } 2>/dev/null || return
    code=silent
    printf 'GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nUser-Agent: gameday\r\n\r\n' "$URLPATH" "$HOST:$PORT" \
        2>/dev/null >&4 && read -r -t "$PROBE_LIMIT" -u 4 _ code _
    [ -n "$code" ] || code=silent
    { exec 4>&-; } 2>/dev/null
}

watch_health() {
    local last='' lo at beat=0
    lo=$EPOCHREALTIME
    while :; do
        console
        at=$EPOCHREALTIME
        ask
        hi=$EPOCHREALTIME
        if [ "$code" = "$WANTED" ]; then answer=ok; else answer=fail; fi
        if [ "$answer" != "$last" ]; then
            uptime
            say "$answer" "$lo" "$hi" "$code" "$U"
            last=$answer
        elif [ "${hi%?????}" != "$beat" ]; then
            beat=${hi%?????} # tenths of a second
            say same "$at"
        fi
        lo=$at
        if [ "$answer" = ok ]; then nap 0.02; else nap 0.003; fi # its first good answer is what counts
    done
}

main_process
trap 'kill $watchers 2>/dev/null' EXIT
watch_process &
watchers=$!
watch_health &
watchers="$watchers $!"
while read -r -t "$LEASE" _; do :; done
exit # else the shell would go on to read the console's next lines as commands
