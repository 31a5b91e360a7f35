"""The `systemctl` of the lab's nodes: a POSIX sh shim.

Questions are answered from the supervisor's state files without starting a second process (a few milliseconds);
commands go to the supervisor through a FIFO, whose path, unlike a socket's, may be long, and wait for its answer.
"""

from __future__ import annotations

import shlex

from console.lab.layout import NodeLayout

FIREWALL_PROGRAMS = tuple(f"{tool}{part}" for tool in ("iptables", "ip6tables") for part in ("", "-save", "-restore"))

_NO_SYSTEMD = """#!/bin/sh
echo 'this node has no systemd' >&2
exit 1
"""

_FIREWALL = """#!/bin/sh
echo @REASON@ >&2
exit 1
"""

_SHIM = r"""#!/bin/sh
# systemctl of a lab node: the part of systemd's that the console and its operators use.
set -u
node=@NODE@
verb='' units='' props='' signal=TERM value='' quiet=''
name() {
    case $1 in
    *.service | *.timer | *.target | *.socket | *.mount | *.slice | *.scope) unit=$1 ;;
    *) unit=$1.service ;;
    esac
}
while [ $# -gt 0 ]; do
    case $1 in
    -p | --property) props=$props,$2 && shift ;;
    -p?*) props=$props,${1#-p} ;;
    --property=*) props=$props,${1#*=} ;;
    -s | --signal) signal=$2 && shift ;;
    -s?*) signal=${1#-s} ;;
    --signal=*) signal=${1#*=} ;;
    -P) props=$props,$2 value=1 && shift ;;
    --value) value=1 ;;
    -q | --quiet) quiet=1 ;;
    -n | --lines | -o | --output | -t | --type | --kill-whom | --kill-who) shift ;;
    -*) ;;
    *) if [ -z "$verb" ]; then verb=$1; else name "$1" && units="$units $unit"; fi ;;
    esac
    shift
done
absent="Type=simple
Restart=no
MainPID=0
Result=success
NRestarts=0
ExecMainStartTimestampMonotonic=0
LoadState=not-found
ActiveState=inactive
SubState=dead
InvocationID=
InactiveExitTimestampMonotonic=0
ActiveEnterTimestampMonotonic=0
ActiveExitTimestampMonotonic=0
InactiveEnterTimestampMonotonic=0"
select_lines() { # the wanted properties of what is on standard input
    while IFS= read -r line; do
        case ,$props, in
        ,, | *,"${line%%=*}",*) if [ "$value" ]; then printf '%s\n' "${line#*=}"; else printf '%s\n' "$line"; fi ;;
        esac
    done
}
get() { # get UNIT PROPERTY -> $got
    got=''
    while IFS= read -r line; do
        case $line in "$2="*) got=${line#*=} && return ;; esac
    done <"$node/state/$1"
}
ask() { # hand the command to the supervisor and wait for its answer
    reply=$node/state/.reply.$$
    mkfifo -m 600 "$reply" || exit 1
    trap 'rm -f "$reply"' EXIT
    exec 3<>"$reply"
    printf '%s\t%s\t%s\t%s\n' "$reply" "$verb" "$signal" "${units# }" >"$node/control"
    IFS='	' read -r code message <&3
    [ -z "$message" ] || printf '%s\n' "$message" >&2
    exit "$code"
}
case $verb in
show)
    first=1
    for unit in $units; do
        [ "$first" ] || echo
        first=''
        if [ -r "$node/state/$unit" ]; then select_lines <"$node/state/$unit"; else
            select_lines <<EOF
Id=$unit
Names=$unit
Description=$unit
$absent
EOF
        fi
    done
    ;;
is-active | is-failed)
    code=3 missing=4
    [ "$verb" = is-active ] || code=1 missing=1
    for unit in $units; do
        got=inactive
        if [ -r "$node/state/$unit" ]; then get "$unit" ActiveState && missing=$code; fi
        case $verb,$got in is-active,active | is-failed,failed) code=0 missing=0 ;; esac
        [ "$quiet" ] || echo "$got"
    done
    [ "$code" = 0 ] && exit 0
    exit "$missing"
    ;;
status)
    code=0
    for unit in $units; do
        if ! [ -r "$node/state/$unit" ]; then echo "Unit $unit could not be found." >&2 && exit 4; fi
        get "$unit" Description && description=$got
        get "$unit" ActiveState && active=$got
        get "$unit" SubState && sub=$got
        get "$unit" FragmentPath && path=$got
        get "$unit" MainPID && pid=$got
        get "$unit" NRestarts && restarts=$got
        case $active in active) dot='●' ;; failed) dot='✗' code=3 ;; *) dot='○' code=3 ;; esac
        printf '%s %s - %s\n     Loaded: loaded (%s; enabled)\n     Active: %s (%s)\n' \
            "$dot" "$unit" "$description" "$path" "$active" "$sub"
        printf '   Main PID: %s\n   Restarts: %s\n\n' "$pid" "$restarts"
        tail -n 5 "$node/log/${unit%.service}.log" 2>/dev/null
    done
    exit "$code"
    ;;
list-units)
    for state in "$node"/state/*.service; do
        unit=${state##*/}
        get "$unit" ActiveState && active=$got
        get "$unit" SubState && sub=$got
        get "$unit" Description
        printf '%-34s loaded %-10s %-12s %s\n' "$unit" "$active" "$sub" "$got"
    done
    ;;
cat)
    for unit in $units; do
        if ! [ -r "$node/units/$unit" ]; then echo "No files found for $unit." >&2 && exit 1; fi
        printf '# %s\n' "$node/units/$unit" && cat "$node/units/$unit"
    done
    ;;
start | stop | restart | kill | reset-failed | daemon-reload) ask ;;
'') echo 'systemctl: say what to do, like: systemctl status UNIT' >&2 && exit 1 ;;
*) echo "Unknown command verb $verb." >&2 && exit 1 ;;
esac
"""


def install(layout: NodeLayout, no_firewall: str = "") -> None:
    """Put the shim into the node's bin folder, and something that says no in place of a host's systemd-run.

    Likewise in place of the host's firewall, where the node has none of its own: `no_firewall` says why.
    """
    scripts = {"systemctl": _SHIM.replace("@NODE@", shlex.quote(str(layout.root))), "systemd-run": _NO_SYSTEMD}
    if no_firewall:
        reason = shlex.quote(f"this node has no firewall of its own: {no_firewall}")
        scripts |= dict.fromkeys(FIREWALL_PROGRAMS, _FIREWALL.replace("@REASON@", reason))
    for name, text in scripts.items():
        script = layout.bin / name
        script.write_text(text)
        script.chmod(0o700)
