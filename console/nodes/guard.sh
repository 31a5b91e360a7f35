# What both guards share. The guard lies in RUN_DIR/RUN/guard and is called by path:
#   arm         take the node's lock, start holding, then carry the console's words to what holds
#   step NAME   run inject, effect, revert or clean of every action
#   ask NAME N  run effect or clean within N hundredths of a second, and say how it went
#   stop        take the fault back now (this is what a person calls)
#   release     forget the run: it is proven clean
#   clear       for a sweep: take back, prove clean, forget; never while a guard is alive
#   back        nothing; called in the undo copy it makes the run's folder again
# POSIX sh, without set -e: a guard goes on whatever fails. lib.sh stands before this text, and after it guard_shell.sh
# or guard_systemd.sh, which give: arm, tell WORD (to what holds), end_inject, and what else they are called with.
umask 077
D=${0%/*} R=${0%/*/*} RUN=${D##*/}
: "${D:?}" "${R:?}" "${RUN:?}"
. "$D/settings" # KIND OPERATOR CONSOLE LEASE REVERT_LIMIT RUN_LIMIT ACTIONS REVERSED AT UNDO

# Called in its undo copy, after a reboot: the run's folder is made again, and goes on where it was called.
come_back() {
    if [ ! -e "$AT/guard" ]; then
        R=${AT%/*} new=${AT%/*}/.$RUN.$$
        mkdir -p "$R" && [ ! -h "$R" ] && [ -O "$R" ] && chmod 700 "$R" || exit 2
        if ! cp -R "$D" "$new" || ! rm -rf "$new/boot" "$AT" || ! mv "$new" "$AT"; then
            rm -rf "$new"
            exit 2
        fi
    fi
    exec sh "$AT/guard" "$@"
}
[ ! -e "$D/boot" ] || come_back "$@"

# bounded LIMIT NAME: run a step in a session of its own. Its exit status; 124 if it was killed at the limit.
bounded() {
    end_group "$2"
    setsid sh "$D/guard" step "$2" </dev/null >/dev/null 2>&1 &
    child=$!
    now
    limit=$((now + $1)) pause=0.02
    while stamp "$child"; do
        now
        if [ "$now" -ge "$limit" ]; then
            kill -9 "-$child"
            wait "$child"
            echo "killed after $(($1 / 100)) s" >>"$D/$2.out"
            return 124
        fi
        nap $pause
        [ $((limit - now)) -gt $(($1 - 20)) ] || pause=0.1 # what takes longer is looked at less often
    done
    wait "$child"
}

# take_back WHY: end inject, run revert, say how it went. False if revert failed.
take_back() {
    mark ending
    rm -f "$D/ballast" "$D/result" "$R/$RUN.ended" # so that there is room for what follows on a full file system
    end_inject
    end_marked
    end_group effect
    end_group clean
    bounded "$REVERT_LIMIT" revert
    reverted=$?
    first_line /proc/sys/kernel/random/boot_id
    printf 'run %s\noperator %s\nwhy %s\nreverted %s\nat %s\nboot %s\n' \
        "$RUN" "$OPERATOR" "$1" "$reverted" "$(date +%s)" "$line" >"$D/ended"
    echo "reverted $reverted" >"$D/result.new" && mv "$D/result.new" "$D/result"
    cp "$D/ended" "$R/$RUN.new" && mv "$R/$RUN.new" "$R/$RUN.ended"
    rm -f "$D/stop" # last: whoever has asked meanwhile is served by this, and waits for it
    [ "$reverted" = 0 ]
}

# keep_for HUNDREDTHS: from now on the console is not waited for: the fault is held for so long, and then taken back.
OVER='the time for which the node was to hold it is over'
keep_for() {
    now
    ends=$((now + $1))
    echo "$ends" >"$D/ends"
    for folder in "$D" "$R/guard"; do # where lease_left looks
        [ ! -d "$folder" ] || { echo "$1" >"$folder/limit" && echo "$now" 1<>"$folder/beat"; }
    done
    echo "$(($(date +%s) + $1 / 100))" >"$D/held.new" && mv "$D/held.new" "$D/held"
}

is_reverted() { first_line "$D/result"; [ "$line" = "reverted 0" ]; }

stop_if_asked() {
    [ -e "$D/stop" ] || return
    if is_reverted; then rm -f "$D/stop"; else take_back "asked to stop"; fi
}

# Prove clean, and write that beside the result.
prove_clean() {
    bounded 1000 clean
    cleaned=$?
    { cat "$R/$RUN.ended"; echo "clean $cleaned"; head -c 1000 "$D/clean.out"; } >"$R/$RUN.new"
    mv "$R/$RUN.new" "$R/$RUN.ended"
    [ "$cleaned" = 0 ]
}

# The run was never held, as another one holds the node.
forget() {
    [ ! "$UNDO" ] || rm -rf "$UNDO"
    rm -rf "$D"
}

# Nothing is left but RUN.ended; whoever still looks after this run ends with it. Returns only if that fails.
vanish() {
    if [ "$UNDO" ] && ! rm -rf "$UNDO"; then
        echo "$UNDO cannot be removed"
        return 1
    fi
    mark released
    unlock
    end feeder
    end "${other:-main}" # first: it would take the missing folder for a killed guard, and the proof for an old one
    rm -rf "$D" || rm -rf "$D"
    exit 0
}

# lapse WHY: the console is gone. Without a proof everything stays, locked, for a sweep.
lapse() {
    [ -d "$D" ] || exit 1 # somebody removed it: systemd keeps such a guard failed, and its node locked
    enlist lapse
    echo "$1" >"$D/why"
    end feeder
    is_reverted || take_back "$1"
    is_reverted && prove_clean && vanish
    mark failed
    exit 1
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

step() {
    enlist "$1"
    if { true >"$D/$1.out"; } 2>/dev/null; then
        exec >"$D/$1.out" 2>&1
    fi
    export GAMEDAY_CONSOLE="$CONSOLE"
    worst=0 order=$ACTIONS
    case $1 in
    inject) export GAMEDAY_RUN="$RUN" ;;
    revert) order=$REVERSED ;;
    esac
    for action in $order; do
        GAMEDAY_DIR=$D/$action GAMEDAY_UNDO=${UNDO:-$D}/$action sh "$D/$action/$1"
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
    if grep -q '^clean 0$' "$R/$RUN.ended" 2>/dev/null; then
        : # it has proven itself clean, and is about to vanish: its proof is not touched
    elif guarded; then
        # What is written of the end is the guard's own: it may be writing just now that the fault is gone.
        tell stop
        now
        limit=$((now + REVERT_LIMIT + 500))
        until { [ ! -e "$D/stop" ] && [ -e "$R/$RUN.ended" ]; } || [ "$now" -ge "$limit" ]; do
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
    tell release
    while guarded; do
        nap 0.05
    done
    rm -f "$R/$RUN.ended"
    [ ! -d "$D" ] || vanish
}

clear() {
    if guarded; then
        echo "a guard is alive: nothing was touched"
        exit 2
    fi
    take_back "swept"
    prove_clean
    cat "$R/$RUN.ended"
    [ "$cleaned" = 0 ] || exit 1
    rm -f "$R/$RUN.ended"
    vanish
    exit 1
}

# ask NAME HUNDREDTHS: effect or clean. The proof of the guard's own end is never disturbed: it is waited for, and speaks
# (see _asking in guard_leased.py). Whatever was asked before that end is killed by it, and asked again.
ask() {
    now
    over=$((now + $2))
    while :; do
        while [ "$1" = clean ] && alive lapse; do
            now
            [ "$now" -lt "$over" ] || { echo "the guard is still proving that by itself"; exit 3; }
            nap 0.05
        done
        [ -e "$D/guard" ] || exit 1
        bounded "$((over - now))" "$1"
        status=$?
        [ "$1:$status" = clean:137 ] && alive lapse || break
    done
    head -c 4000 "$D/$1.out"
    exit "$status"
}

called() {
    case $1 in
    arm | stop | release | clear) "$1" ;;
    step) step "$2" ;;
    back) ;;
    ask) ask "$2" "$3" ;;
    esac
}
