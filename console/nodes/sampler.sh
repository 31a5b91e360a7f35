# Numbers out of /proc every EVERY_S, by builtins, and what systemctl and df say; for sampler.py. One line a time:
#   now UPTIME LOAD TOTAL_KB AVAILABLE_KB SWAP_KB SWAP_FREE_KB CPU...  and, when they are news,
#   disk NUMBER USED_KB TOTAL_KB
#   and  service NUMBER |Name=value|...  all between tabs. The whole line is one write, so that it is one packet.
# EVERY_S, QUIET, how many times without a sign of life are too many, and UNITS are set before; mounts are the arguments.
set -f
main=$$ group='' limit=''
{ read -r stat </proc/$$/stat && group=${stat##*) }; } 2>/dev/null
group=${group#* * } group=${group%% *}
! command -v timeout >/dev/null || limit='timeout -s KILL'
finish() { # sshd gives each command a group of its own; where it is none, the others end as nobody reads them any more
    [ "$group" != "$main" ] || kill -9 "-$main"
    kill -9 "$main"
    exit
}

# In hundredths of a second, as /proc counts; always 0 where there is none.
clock() { { read -r now _ </proc/uptime && now=${now%.*}${now#*.}; } 2>/dev/null || now=0; }
hear() {
    while read -r _; do echo alive; done <&3
    finish
}
tick() {
    while echo tick; do sleep "$EVERY_S" || exit; done
}
disk() { # each mount has its own loop: a dead one blocks df
    while :; do
        ${limit:+$limit 2} df -kP "$2" 2>/dev/null | {
            read -r _
            read -r _ total used _ && echo "disk $1 $used $total"
        }
        sleep 5
    done
}
services() { # said when it changed, and every few seconds; asked for a fiftieth of the time at most, so every 1 to 4 s
    before='' unsaid=0
    properties=ActiveState,SubState,NRestarts,MainPID,InvocationID
    while :; do
        clock
        asked=$now
        said=$(${limit:+$limit 3} systemctl show -p "$properties" -- $UNITS 2>/dev/null)
        clock
        pause=$(((now - asked) / 2))
        [ "$pause" -ge 1 ] || pause=1
        [ "$pause" -le 4 ] || pause=4
        if [ "$said" ] && { [ "$said" != "$before" ] || [ "$unsaid" -ge 4 ]; }; then
            number=0 block=''
            while IFS= read -r line || [ "$block" ]; do # it answers in the order of the question, a block for each
                if [ "$line" ]; then
                    block="$block|$line"
                elif [ "$block" ]; then
                    echo "service $number $block"
                    number=$((number + 1)) block=''
                fi
            done <<EOF
$said
EOF
            [ "$said" = "$before" ] || echo changed
            before=$said unsaid=0
        fi
        unsaid=$((unsaid + pause))
        sleep "$pause"
    done
}
sample() {
    uptime=- load=- total=- available=- swap=- swap_free=- cpu=-
    if [ -r /proc/uptime ]; then
        read -r uptime _ </proc/uptime
        read -r load _ </proc/loadavg
        read -r _ cpu </proc/stat
        while read -r name value _; do
            case $name in
            MemTotal:) total=$value ;;
            MemAvailable:) available=$value ;;
            SwapTotal:) swap=$value ;;
            SwapFree:) swap_free=$value && break ;;
            esac
        done </proc/meminfo
    fi
    printf 'now\t%s\t%s\t%s\t%s\t%s\t%s\t%s%s\n' \
        "$uptime" "$load" "$total" "$available" "$swap" "$swap_free" "$cpu" "$news"
    news=''
}

exec 3<&0
{
    hear &
    [ ! "$UNITS" ] || services &
    number=0
    for mount in "$@"; do
        disk "$number" "$mount" &
        number=$((number + 1))
    done
    tick
} | {
    news='' quiet=0
    while IFS= read -r line; do
        case $line in
        alive) quiet=0 ;;
        changed) sample ;;
        tick)
            quiet=$((quiet + 1))
            [ "$quiet" -lt "$QUIET" ] || finish
            sample
            ;;
        *) news="$news	$line" ;;
        esac
    done
}
finish
