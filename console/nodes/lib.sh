# What the programs on a node share. D is a run's folder, R the folder of all runs; times are in hundredths of a second.
command -v setsid >/dev/null || setsid() { perl -e 'use POSIX; POSIX::setsid(); exec @ARGV' -- "$@"; }

nap() { sleep "$1" 2>/dev/null || sleep 1; }

if [ -r /proc/uptime ]; then
    now() { read -r now _ </proc/uptime && now=${now%.*}${now#*.}; }
    # stamp PID: when that living process was born; false if there is none. Its name may hold anything but a newline.
    stamp() {
        { read -r stamp <"/proc/$1/stat"; } 2>/dev/null || return 1
        set -- ${stamp##*) }
        stamp=${20}
        [ "$1" != Z ] && [ "$1" != X ]
    }
else
    now() { now=$(date +%s)00; }
    stamp() { stamp=$(ps -o stat=,lstart= -p "$1" | sed '/^Z/d; s/^[^ ]* *//' | tr ' ' _) && [ "$stamp" ]; }
fi

enlist() { stamp $$ && echo "$$ $stamp" >"$D/$1.new" && mv "$D/$1.new" "$D/$1.pid"; }
alive() { { read -r pid born <"$D/$1.pid"; } 2>/dev/null && stamp "$pid" && [ "$stamp" = "$born" ]; }
end() { alive "$1" && kill -9 "$pid"; }
end_group() { alive "$1" && kill -9 "-$pid"; }
# Not `: >file`: where that cannot be written, as on a full disk, it would end the shell.
mark() { echo >"$D/$1"; }
first_line() { line=; { read -r line <"$1"; } 2>/dev/null; }
# lease_left FOLDER: for how long the node's lock still waits for the console that holds it.
lease_left() {
    now
    first_line "$1/limit"
    left=${line:-0}
    first_line "$1/beat"
    left=$((left - now + ${line:-now}))
}

UNIT=gameday-guard.service
NEWLINE='
'
# The guard's unit as systemd knows it: its state, and the run that holds it. False where there is none.
unit() {
    # No here-document: some shells make a file for it, which a full disk would not take.
    described="$NEWLINE$(systemctl show -p ActiveState,Description $UNIT 2>/dev/null)"
    active=${described##*"$NEWLINE"ActiveState=}
    active=${active%%"$NEWLINE"*}
    case $active in '' | inactive) return 1 ;; esac
    described=${described##*"$NEWLINE"Description=gameday run } # see arm in guard_systemd.sh
    described=${described%%"$NEWLINE"*}
    holder=${described%%,*} where=${described##*, in } operator=${described#*, operator }
    operator=${operator%, in *}
}

# Whether a guard of the run in D is alive. KIND is set.
guarded() {
    case $KIND in
    systemd) unit && [ "$where/$holder" = "$D" ] && [ "$active" != failed ] ;;
    *) alive main || alive warden ;;
    esac
}

# marked: the processes that the inject of D started, wherever they went: /proc/PID/environ, one a line.
# The folder belongs to the mark, because the nodes of a practice lab may share their process table.
marked() {
    grep -lz "^GAMEDAY_RUN=${D##*/}" /proc/[0-9]*/environ 2>/dev/null | while read -r file; do
        grep -qz "^GAMEDAY_DIR=$D/" "$file" 2>/dev/null && echo "$file"
    done
}
end_marked() {
    for _ in 1 2 3 4 5; do
        found=$(marked)
        [ "$found" ] || return 0
        for file in $found; do
            pid=${file#/proc/}
            kill -9 "${pid%/environ}"
        done
    done
}
