# What of runs is on this node: tab-separated lines for sweep.py. R and UNDO_DIR are set before, lib.sh stands before this text.
if [ -d "$R/guard" ]; then
    first_line "$R/guard/run"
    run=$line
    first_line "$R/guard/operator"
    operator=$line
    lease_left "$R/guard"
    printf 'lock\t%s\t%s\t%s\t0\n' "$run" "$operator" "$left"
fi
holder='' where='' active=''
if unit; then
    live=1
    [ "$active" != failed ] || live=0
    lease_left "$where/$holder"
    printf 'lock\t%s\t%s\t%s\t%s\n' "$holder" "$operator" "$left" "$live"
fi
for D in "$R"/*/; do
    D=${D%/}
    [ -d "$D" ] && [ "${D##*/}" != guard ] || continue
    OPERATOR='' KIND='' why='an upload that was cut off'
    if [ -e "$D/settings" ]; then
        . "$D/settings"
        why='nobody holds it'
        first_line "$D/why"
        [ ! "$line" ] || why=$line
        first_line "$D/result"
        [ ! "$line" ] || why="$why; $line"
    fi
    live=0
    case $KIND in
    systemd) [ "$where/$holder" != "$D" ] || [ "$active" = failed ] || live=1 ;; # it was asked above
    *) ! guarded || live=1 ;;
    esac
    first_line "$D/held"
    [ ! "$line" ] || printf 'until\t%s\t%s\n' "${D##*/}" "$line"
    printf 'folder\t%s\t%s\t%s\t%s\n' "${D##*/}" "$OPERATOR" "$live" "$why"
done
first_line /proc/sys/kernel/random/boot_id
boot=$line
for U in "$UNDO_DIR"/*/; do
    U=${U%/} run=${U%/}
    run=${run##*/}
    [ -d "$U" ] && [ ! -d "$R/$run" ] && [ "$run" != "$holder" ] || continue
    OPERATOR='' why='an upload that was cut off'
    if [ -e "$U/settings" ]; then
        . "$U/settings"
        why='its folder was removed'
        first_line "$U/boot"
        [ "$line" = "$boot" ] || why='the node has rebooted since'
    fi
    printf 'undo\t%s\t%s\t%s\n' "$run" "$OPERATOR" "$why"
done
for file in $(grep -lz ^GAMEDAY_RUN= /proc/[0-9]*/environ 2>/dev/null); do
    run=$(tr '\0' '\n' <"$file" 2>/dev/null | sed -n 's/^GAMEDAY_RUN=//p' | head -n 1)
    if [ "$run" ] && grep -qz "^GAMEDAY_DIR=$R/$run/" "$file" 2>/dev/null; then
        pid=${file#/proc/}
        pid=${pid%/environ}
        printf 'process\t%s\t%s %s\n' "$run" "$pid" "$(tr '\0\t\n' '   ' <"/proc/$pid/cmdline" 2>/dev/null)"
    fi
done
