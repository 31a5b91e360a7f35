# The guard on systemd: a transient unit whose name is the node's lock. While it is there the fault may be; however it
# ends, systemd kills all that it started and takes the fault back. A unit that could not prove the node clean stays
# failed, and keeps the name. Called with, besides what guard.sh tells:
#   hold        its main process, in bash: wait for the console's words, for as long as the lease at a time
#   ended       its ExecStopPost=, and the next one: where the first was killed, the fault is still to be taken back

BEFORE_OTHERS=10 # how much nicer than the guard inject is, so that no load of its own making keeps the guard waiting

tell() {
    [ "$1" != stop ] || mark stop
    [ "$1" != gone ] || [ ! -e "$D/held" ] || return
    [ ! -p "$D/lease" ] || echo "$1" 1<>"$D/lease"
}

unlock() {
    unit && [ "$where/$holder" = "$D" ] || return
    case ${SERVICE_RESULT-} in
    '') systemctl reset-failed $UNIT ;;
    success) ;; # this is its own ExecStopPost=, after which the unit is gone
    *) systemd-run --quiet --collect --on-active=0.5 --timer-property=AccuracySec=10ms systemctl reset-failed $UNIT ;;
    esac
}

# Kill what runs in the unit besides this process. What a login service moved elsewhere is found by its mark.
end_inject() {
    end_group inject
    group=$(grep -m 1 "/$UNIT\$" "/proc/$$/cgroup")
    found=$group
    for _ in 1 2 3 4 5; do
        [ "$found" ] || break
        found=
        for file in $(grep -lxF "$group" /proc/[0-9]*/cgroup 2>/dev/null); do
            pid=${file#/proc/}
            pid=${pid%/cgroup}
            [ "$pid" = $$ ] || ! stamp "$pid" || { found=1 && kill -9 "$pid"; }
        done
    done
    [ ! -e "$D/went" ] || [ -e "$D/inject.status" ] || echo 137 >"$D/inject.status"
}

# patience HUNDREDTHS: for how long systemd may hear nothing until it takes this process for stopped.
patience() { systemd-notify WATCHDOG=1 "WATCHDOG_USEC=$1"0000; }

inject() {
    unset NOTIFY_SOCKET WATCHDOG_PID WATCHDOG_USEC
    echo 0 >/proc/self/oom_score_adj
    nice -n $BEFORE_OTHERS setsid sh "$D/guard" step inject </dev/null >/dev/null 2>&1
    echo $? >"$D/inject.status"
}

hold() {
    exec 3<>"$D/lease"
    enlist main
    systemd-notify --ready
    left=$LEASE
    while read -r -t "$((left / 100)).$((left / 10 % 10))" word <&3; do
        now
        if [ -e "$D/held" ]; then
            left=$((ends - now))
            [ "$left" -ge 10 ] || break
        else
            echo "$now" 1<>"$D/beat"
        fi
        systemd-notify WATCHDOG=1
        case $word in
        detach\ *)
            keep_for "${word#detach }"
            left=${word#detach }
            patience $((left + 100))
            ;;
        go)
            if [ ! -e "$D/went" ] && [ ! -e "$D/ending" ]; then
                inject 3<&- &
                mark went
            fi
            ;;
        stop)
            patience $((REVERT_LIMIT + 1000))
            stop_if_asked
            patience $((left + 100))
            ;;
        release)
            mark release
            exit 0
            ;;
        gone)
            echo "the console's channel ended" >"$D/why"
            exit 0
            ;;
        esac
    done
    echo "nothing was heard from the console for $((LEASE / 100)) s" >"$D/why"
    [ ! -e "$D/held" ] || echo "$OVER" >"$D/why"
}

ended() {
    if [ -e "$D/release" ]; then
        rm -f "$R/$RUN.ended"
        vanish
    fi
    case $SERVICE_RESULT in
    timeout) line="the run lasted longer than $((RUN_LIMIT / 100)) s" ;;
    watchdog) line="the guard stood still" ;;
    *) first_line "$D/why" ;;
    esac
    lapse "${line:-the guard was stopped or killed}"
}

take_unit() {
    systemd-run --quiet --unit=$UNIT --description="gameday run $RUN, operator $OPERATOR, in $R" \
        --setenv=PATH="$PATH" --setenv=HOME="${HOME:-/root}" \
        -p Type=notify -p NotifyAccess=all -p TimeoutStartSec=8 \
        -p RuntimeMaxSec=${RUN_LIMIT}0ms -p WatchdogSec=$((LEASE + 100))0ms -p WatchdogSignal=SIGKILL \
        -p KillMode=control-group -p KillSignal=SIGKILL -p SuccessExitStatus=SIGKILL \
        -p OOMPolicy=continue -p OOMScoreAdjust=-900 -p Nice=-$BEFORE_OTHERS \
        -p TimeoutStopSec=$((REVERT_LIMIT + 1500))0ms -p ExecStopPost="/bin/sh $D/guard ended" \
        -p ExecStopPost="/bin/sh -c '[ ! -e $D/guard ] || exec /bin/sh $D/guard ended'" \
        "$(command -v bash)" "$D/guard" hold </dev/null 2>&1
}

arm() {
    case $D in
    *[!a-zA-Z0-9/._-]*)
        forget
        echo "systemd cannot be given the path $D: choose a plain run_dir"
        exit 1
        ;;
    esac
    mkfifo "$D/lease"
    echo "$LEASE" >"$D/limit"
    now
    echo "$now" >"$D/beat"
    until said=$(take_unit); do
        if ! unit; then
            case $said in *already*) nap 0.1 && continue ;; esac # its name is kept for a moment after its end
            forget
        elif [ "$active" = deactivating ] && [ ! -e "$where/$holder" ]; then
            nap 0.1 # it has proven itself clean, and is about to be gone
            continue
        elif [ "$where/$holder" != "$D" ]; then
            lease_left "$where/$holder"
            forget
            said=$(printf 'busy\t%s\t%s\t%s' "$holder" "$operator" "$left")
        fi
        echo "$said"
        exit 1
    done
    enlist feeder
    echo armed
    while read -r word; do
        alive main || { nap 0.5 && break; } # by then its end has said why, and has ended this
        tell "$word"
        state
        echo "$word $state"
    done
    tell gone
}

case $1 in
hold | ended) "$1" ;;
*) called "$@" ;;
esac
