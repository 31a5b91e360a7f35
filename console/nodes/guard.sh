# The guard of a node without systemd. It lies in RUN_DIR/RUN/guard and is called by path:
#   arm         take the node's lock, start the two guards, then carry the console's words to them
#   main        hold: start inject on `go`, take the fault back when the console falls silent
#   warden      watch main, and do its duty when it is gone
#   step NAME   run inject, effect, revert or clean of every action
#   ask NAME N  run effect or clean within N hundredths of a second, and say how it went
#   stop        take the fault back now (this is what a person calls)
#   release     forget the run: it is proven clean
#   clear       for a sweep: take back, prove clean, forget; never while a guard is alive
# POSIX sh, without set -e: a guard goes on whatever fails. lib.sh stands before this text.
umask 077
D=${0%/*} R=${0%/*/*} RUN=${D##*/}
: "${D:?}" "${R:?}" "${RUN:?}"
. "$D/settings" # OPERATOR LEASE REVERT_LIMIT RUN_LIMIT ACTIONS REVERSED

ours() { first_line "$R/guard/run"; [ "$line" = "$RUN" ]; }

# bounded LIMIT NAME: run a step in a session of its own. Its exit status; 124 if it was killed at the limit.
bounded() {
    end_group "$2"
    setsid sh "$D/guard" step "$2" </dev/null >/dev/null 2>&1 &
    child=$!
    now
    limit=$((now + $1))
    while stamp "$child"; do
        now
        if [ "$now" -ge "$limit" ]; then
            kill -9 "-$child"
            wait "$child"
            echo "killed after $(($1 / 100)) s" >>"$D/$2.out"
            return 124
        fi
        nap 0.05
    done
    wait "$child"
}

# take_back WHY: end inject, run revert, say how it went. False if revert failed.
take_back() {
    mark ending
    rm -f "$D/ballast" "$D/result" "$R/$RUN.ended" # so that there is room for what follows on a full file system
    end_group inject
    end_marked
    end_group effect
    end_group clean
    bounded "$REVERT_LIMIT" revert
    reverted=$?
    first_line /proc/sys/kernel/random/boot_id
    printf 'run %s\noperator %s\nwhy %s\nreverted %s\nat %s\nboot %s\n' \
        "$RUN" "$OPERATOR" "$1" "$reverted" "$(date +%s)" "$line" >"$D/ended"
    cp "$D/ended" "$R/$RUN.new" && mv "$R/$RUN.new" "$R/$RUN.ended"
    echo "reverted $reverted" >"$D/result.new" && mv "$D/result.new" "$D/result"
    [ "$reverted" = 0 ]
}

is_reverted() { first_line "$D/result"; [ "$line" = "reverted 0" ]; }

# Prove clean, and write that beside the result.
prove_clean() {
    bounded 1000 clean
    cleaned=$?
    { cat "$R/$RUN.ended"; echo "clean $cleaned"; head -c 1000 "$D/clean.out"; } >"$R/$RUN.new"
    mv "$R/$RUN.new" "$R/$RUN.ended"
    [ "$cleaned" = 0 ]
}

# Nothing is left but RUN.ended; whoever still looks after this run ends with it.
vanish() {
    mark released
    ours && rm -rf "$R/guard"
    end feeder
    alive "${other:-main}" && twin=$pid
    rm -rf "$D" || rm -rf "$D"
    [ ! "${twin:-}" ] || kill -9 "$twin"
    exit 0
}

# lapse WHY: the console is gone. Without a proof everything stays, locked, for a sweep.
lapse() {
    end feeder
    is_reverted || take_back "$1"
    is_reverted && prove_clean && vanish
    echo "$1" >"$D/failed"
    exit 1
}

hold() {
    role=$1 other=$2
    enlist "$role"
    now
    seen=$now begun=$now beat=
    until alive "$other"; do
        nap 0.05
        now
        [ $((now - begun)) -lt 500 ] || lapse "the $other of the guard never started"
    done
    while :; do
        if [ -e "$D/release" ]; then
            rm -f "$R/$RUN.ended"
            vanish
        elif [ -e "$D/released" ] || [ ! -d "$D" ]; then
            vanish
        fi
        now
        first_line "$D/lease"
        if [ "$line" != "$beat" ]; then
            beat=$line seen=$now
            [ "$role" = main ] && echo "$now" 1<>"$R/guard/beat"
        fi
        "$role"_duty
        nap 0.2
    done
}

main_duty() {
    alive warden || lapse "the warden of the guard was killed"
    alive feeder || lapse "the console's channel ended"
    [ $((now - seen)) -lt "$LEASE" ] || lapse "nothing was heard from the console for $((LEASE / 100)) s"
    [ $((now - begun)) -lt "$RUN_LIMIT" ] || lapse "the run lasted longer than $((RUN_LIMIT / 100)) s"
    if [ -e "$D/stop" ]; then
        rm -f "$D/stop"
        is_reverted || take_back "asked to stop"
    elif [ -e "$D/go" ] && [ ! -e "$D/went" ] && [ ! -e "$D/ending" ]; then
        setsid sh "$D/guard" step inject </dev/null >/dev/null 2>&1 &
        inject=$!
        mark went
    elif [ -e "$D/went" ] && [ ! -e "$D/inject.status" ] && ! stamp "$inject"; then
        wait "$inject"
        echo $? >"$D/inject.status"
    fi
}

warden_duty() {
    if [ -e "$D/failed" ]; then
        exit 1
    elif ! alive main; then
        [ -e "$D/released" ] || lapse "the guard was killed"
    elif [ $((now - seen)) -ge $((LEASE + 50)) ] && [ ! -e "$D/ending" ]; then
        end main # it should have acted: it is stopped, or hangs
    fi
}

state() {
    if [ -e "$D/result" ]; then
        first_line "$D/result"
        state=$line
    elif [ -e "$D/ending" ]; then
        state=reverting
    elif [ -e "$D/inject.status" ]; then
        state=injected
    elif [ -e "$D/went" ]; then
        state=went
    else
        state=armed
    fi
}

arm() {
    if ! mkdir "$R/guard" 2>/dev/null; then
        [ -d "$R/guard" ] || { echo "failed to make $R/guard"; exit 1; }
        first_line "$R/guard/run"
        holder=$line
        first_line "$R/guard/operator"
        operator=$line
        lease_left
        rm -rf "$D"
        printf 'busy\t%s\t%s\t%s\n' "$holder" "$operator" "$left"
        exit 1
    fi
    echo "$RUN" >"$R/guard/run"
    echo "$OPERATOR" >"$R/guard/operator"
    echo "$LEASE" >"$R/guard/lease"
    echo 00000000 >"$D/lease"
    enlist feeder
    for role in main warden; do
        setsid sh "$D/guard" $role </dev/null >"$D/$role.log" 2>&1 &
    done
    now
    begun=$now
    until alive main && alive warden; do
        nap 0.02
        now
        [ $((now - begun)) -lt 500 ] || { echo "failed to start"; exit 1; }
    done
    echo armed
    while read -r word; do
        case $word in
        go | stop | release) mark "$word" ;;
        *) echo "$word" 1<>"$D/lease" ;;
        esac
        state
        echo "$word $state"
    done
}

step() {
    enlist "$1"
    if { true >"$D/$1.out"; } 2>/dev/null; then
        exec >"$D/$1.out" 2>&1
    fi
    worst=0 order=$ACTIONS
    case $1 in
    inject) export GAMEDAY_RUN="$RUN" ;;
    revert) order=$REVERSED ;;
    esac
    for action in $order; do
        GAMEDAY_DIR=$D/$action sh "$D/$action/$1"
        status=$?
        case $status:$worst in
        0:*) continue ;;
        1:* | *:0) worst=$status ;; # a proven failure says more than something unknown
        esac
        [ "$1" != inject ] || break
    done
    exit "$worst"
}

stop() {
    if alive main || alive warden; then
        is_reverted || rm -f "$R/$RUN.ended"
        mark stop
        now
        limit=$((now + REVERT_LIMIT + 500))
        until [ -e "$R/$RUN.ended" ] || [ "$now" -ge "$limit" ]; do
            nap 0.05
            now
        done
    else
        is_reverted || take_back "asked to stop, with the guard dead"
    fi
    cat "$R/$RUN.ended"
    head -c 1000 "$D/revert.out" 2>/dev/null
    grep -q '^reverted 0$' "$R/$RUN.ended"
}

release() {
    mark release
    while alive main || alive warden; do
        nap 0.05
    done
    rm -f "$R/$RUN.ended"
    [ ! -d "$D" ] || vanish
}

clear() {
    if alive main || alive warden; then
        echo "a guard is alive: nothing was touched"
        exit 2
    fi
    take_back "swept"
    prove_clean
    cat "$R/$RUN.ended"
    [ "$cleaned" = 0 ] || exit 1
    rm -f "$R/$RUN.ended"
    vanish
}

case $1 in
arm | stop | release | clear) "$1" ;;
main) hold main warden ;;
warden) hold warden main ;;
step) step "$2" ;;
ask)
    bounded "$3" "$2"
    status=$?
    head -c 4000 "$D/$2.out"
    exit "$status"
    ;;
esac
