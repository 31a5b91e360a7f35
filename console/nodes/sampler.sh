# Numbers out of /proc for each line on standard input, by builtins; for sampler.py. Tab-separated lines:
#   now UPTIME LOAD TOTAL_KB AVAILABLE_KB CPU...    disk MOUNT USED_KB TOTAL_KB    service NUMBER |Name=value|...
# UNITS and CHECK_S, a third of the lease, are set before; the mounts are the arguments.
# It ends with its input, and when nothing was read for the lease, because a cut cable ends no input.
set -f
main=$$ group='' kids=''
{ read -r stat </proc/$$/stat && group=${stat##*) }; } 2>/dev/null
group=${group#* * } group=${group%% *}
finish() { # sshd gives each command a group of its own: then everything goes at once
    [ "$group" != "$main" ] || kill -9 "-$main"
    kill -9 $kids "$main"
}

# Blocked for long, this shell makes no context switch: then nobody writes to it, or nobody reads what it says.
switches() {
    while read -r name value; do
        [ "$name" != voluntary_ctxt_switches: ] || echo "$value"
    done <"/proc/$main/status"
}
watch() {
    last='' still=0
    while seen=$(switches 2>/dev/null) && [ "$seen" ]; do
        if [ "$seen" = "$last" ]; then still=$((still + 1)); else last=$seen still=0; fi
        [ "$still" -lt 3 ] || finish
        sleep "$CHECK_S"
    done
}

# start NAME COMMAND...: run it in the background, unless it still runs from the last time.
start() {
    eval "pid=\${$1:-}"
    if [ "$pid" ]; then
        { read -r stat <"/proc/$pid/stat"; } 2>/dev/null && case ${stat##*) } in Z*) ;; *) return ;; esac
        wait "$pid"
    fi
    name=$1
    shift
    "$@" &
    eval "$name=\$!"
}
limited() { if command -v timeout >/dev/null; then timeout -s KILL "$@"; else shift && "$@"; fi 2>/dev/null; }
disk() {
    limited 2 df -kP "$1" | {
        read -r _
        read -r _ total used _ && printf 'disk\t%s\t%s\t%s\n' "$1" "$used" "$total"
    }
}
services() { # systemctl answers in the order of the question, a block for each
    properties=ActiveState,SubState,NRestarts,MainPID,InvocationID,StateChangeTimestampMonotonic
    limited 3 systemctl show -p "$properties" -- $UNITS | {
        number=0 block=''
        while IFS= read -r line || [ "$block" ]; do
            if [ "$line" ]; then
                block="$block|$line"
            elif [ "$block" ]; then
                printf 'service\t%s\t%s\n' "$number" "$block"
                number=$((number + 1)) block=''
            fi
        done
    }
}

watch &
kids=$! count=0
echo ready
while read -r _; do
    uptime=- load=- total=- available=- cpu=-
    if [ -r /proc/uptime ]; then
        read -r uptime _ </proc/uptime
        read -r load _ </proc/loadavg
        read -r _ cpu </proc/stat
        while read -r name value _; do
            case $name in
            MemTotal:) total=$value ;;
            MemAvailable:) available=$value && break ;;
            esac
        done </proc/meminfo
    fi
    printf 'now\t%s\t%s\t%s\t%s\t%s\n' "$uptime" "$load" "$total" "$available" "$cpu"
    [ ! "$UNITS" ] || [ $((count % 2)) != 0 ] || start services_pid services
    number=0
    for mount in "$@"; do
        number=$((number + 1))
        [ $((count % 5)) != 0 ] || start "disk_$number" disk "$mount"
    done
    count=$((count + 1))
done
finish
