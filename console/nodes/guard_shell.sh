# The guard of a node without systemd: two processes, each of which takes the fault back when the other is gone. Called
# with, besides what guard.sh tells:
#   main        hold: start inject on `go`, take the fault back when the console falls silent
#   warden      watch main, and do its duty when it is gone

tell() { mark "$1"; }

unlock() {
    first_line "$R/guard/run"
    [ "$line" != "$RUN" ] || rm -rf "$R/guard"
}

end_inject() { end_group inject; }

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
            UNDO= # it was removed already, or nothing is proven
            vanish
        fi
        now
        first_line "$D/lease"
        if [ "$line" != "$beat" ]; then
            beat=$line seen=$now
            [ "$role" = main ] && [ ! -e "$D/held" ] && echo "$now" 1<>"$R/guard/beat"
        fi
        if [ -e "$D/held" ]; then first_line "$D/ends" && ends=$line; fi
        "$role"_duty
        nap 0.2
    done
}

main_duty() {
    alive warden || lapse "the warden of the guard was killed"
    if [ -e "$D/held" ]; then
        [ "$now" -lt "$ends" ] || lapse "$OVER"
    else
        alive feeder || lapse "the console's channel ended"
        [ $((now - seen)) -lt "$LEASE" ] || lapse "nothing was heard from the console for $((LEASE / 100)) s"
        if [ -e "$D/detach" ]; then first_line "$D/detach" && keep_for "$line"; fi
    fi
    [ $((now - begun)) -lt "$RUN_LIMIT" ] || lapse "the run lasted longer than $((RUN_LIMIT / 100)) s"
    stop_if_asked
    if [ -e "$D/go" ] && [ ! -e "$D/went" ] && [ ! -e "$D/ending" ]; then
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
    elif [ -e "$D/held" ] && [ "$now" -lt $((ends + 50)) ]; then
        : # nobody is waited for
    elif [ $((now - seen)) -ge $((LEASE + 50)) ] && [ ! -e "$D/ending" ]; then
        end main # it should have acted: it is stopped, or hangs
    fi
}

arm() {
    if ! mkdir "$R/guard" 2>/dev/null; then
        [ -d "$R/guard" ] || { echo "failed to make $R/guard"; exit 1; }
        first_line "$R/guard/run"
        holder=$line
        first_line "$R/guard/operator"
        operator=$line
        lease_left "$R/guard"
        forget
        printf 'busy\t%s\t%s\t%s\n' "$holder" "$operator" "$left"
        exit 1
    fi
    echo "$RUN" >"$R/guard/run"
    echo "$OPERATOR" >"$R/guard/operator"
    echo "$LEASE" >"$R/guard/limit"
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
        detach\ *) echo "${word#detach }" >"$D/detach.new" && mv "$D/detach.new" "$D/detach" ;;
        *) echo "$word" 1<>"$D/lease" ;;
        esac
        state
        echo "$word $state"
    done
}

case $1 in
main) hold main warden ;;
warden) hold warden main ;;
*) called "$@" ;;
esac
