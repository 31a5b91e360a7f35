"""What a fault could leave on a machine of the systemd lab: all of it before and after, and what differs."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from console.faults.call_modes import MODES
from tests.systemd_lab import SystemdLab

SLACK_KB = {"/": 64 * 1024, "/pg_data": 64 * 1024}
"""The journal grows by 8 MB at a time, the database's log by 16; no fault of the labs writes to these disks."""
OTHER_SLACK_KB = 1024

FAULT = (
    "firewall", "mounts", "loops", "failed", "timers", "marked", "partial", "disks", "files", "modes", "pipes",
    "traced", "held", "views",
)  # fmt: skip
"""What is the fault's own; the rest also holds what a console that lives goes on doing."""
OURS = (*FAULT, "units", "kept", "tables", "processes")
"""All but how the target itself does, which may take its time after the fault is gone."""

_STORES = ("answers", "records")

_LOOK = r"""
section() { echo "== $1"; }
section firewall; iptables-save; ip6tables-save
section mounts; cut -d' ' -f3- /proc/self/mountinfo
section disks; df -kP $disks
section failed; systemctl list-units --state=failed --plain --no-legend
section timers; systemctl list-timers --all --plain --no-legend
section units; systemctl list-units --all --plain --no-legend 'gameday*'
section kept; for d in /run/gameday /var/lib/gameday; do [ ! -d $d ] || ls -A $d; done
section partial; [ ! "$backups" ] || find "$backups" -name '*.partial'
section marked
for file in $(grep -lz ^GAMEDAY_RUN= /proc/[0-9]*/environ 2>/dev/null); do
    tr '\0' ' ' <"${file%environ}cmdline" 2>/dev/null && echo
done
section tables
[ ! "$database" ] || runuser -u postgres -- psql -XAt -p $port -d $database \
    -c "select relname from pg_class where relkind = 'r' and relname like 'gameday%'" 2>&1
section loops; cat /sys/block/loop*/loop/backing_file 2>/dev/null
section files
find /dev/shm /etc/systemd /root /run /tmp /var/lib /var/tmp -xdev -iname '*gameday*' ! -path '/run/gameday*' \
    ! -path '/var/lib/gameday*' ! -path '/run/user/*' ! -path '/run/systemd/*'
ls -A /tmp /var/tmp /dev/shm | grep -v -e "^systemd-private-" -e "^PostgreSQL[.]" -e :
section modes; [ ! -d /srv ] || find /srv -printf '%#m %u:%g %y %p\n'
section pipes; find /run /tmp /dev/shm -type p ! -path '/run/gameday/*' 2>/dev/null
section views
awk '$5 ~ /^\/(srv|run\/gameday)\// { print FILENAME, $3, $4, $5, $6 }' /proc/[0-9]*/mountinfo 2>/dev/null
section traced
awk '/^Name:/ { name = $2 } /^State:/ && $2 ~ /^[Tt]$/ { print name " is stopped" }
    /^TracerPid:/ && $2 > 0 { print name " is traced" }' /proc/[0-9]*/task/[0-9]*/status 2>/dev/null
section held; find /proc/[0-9]*/fd -lname '*gameday-*' -printf '%l\n' 2>/dev/null
section answers
for url in $stores; do
    curl -s -o /dev/null -m 3 -w "$url writes %{http_code}\n" -X PUT --data residue "$url/residue"
    curl -s -o /dev/null -m 3 -w "$url reads %{http_code}\n" "$url/residue"
done
section records
for url in $stores; do curl -s -m 3 "$url" | sed -n "s|^\(gameday-[^-]*\)-.*|$url has records of \1|p" | sort -u; done
section processes; echo "$$ 0 asking"; ps -eo pid=,ppid=,args=
"""

_DISABLE = r"""
for pid in $(grep -ls fiu_posix_preload /proc/[0-9]*/maps | cut -d/ -f3); do
    fifo=$(tr '\0' '\n' <"/proc/$pid/environ" | sed -n 's/^FIU_CTRL_FIFO=//p')-$pid
    for name in $names; do echo "disable name=$name"; done >/tmp/asked
    timeout 5 sh -c 'cat >"$1.in" && cat "$1.out"' sh "$fifo" </tmp/asked | paste -d' ' - /tmp/asked
    rm /tmp/asked
done
"""

_STORE_FILES = re.compile(
    r"/srv/\w+/(CURRENT|LOCK|LOG(\.old)?|MANIFEST-\d+|\d+\.(log|ldb|sst|dbtmp)|(data|lock)\.mdb)$"
)
_OTHERS = re.compile(r"^(sshd: |\(sd-pam\)|/lib/systemd/systemd --user|postgres: |\[.*\]$|\(.*\)$|.* <defunct>$)")
"""Idle sessions of SSH with their manager, what PostgreSQL starts for itself, and what is dead or not yet itself."""


@dataclass(frozen=True)
class Residue:
    """What there is on one machine, as lines; of its processes also how often each."""

    lines: dict[str, Counter[str]]
    used_kb: dict[str, int]
    views: dict[str, str]
    """Pid -> which mounts it sees where faults change any: services may have views of their own."""

    def beyond(self, before: Residue, *only: str) -> list[str]:
        """What is here and was not there before, or is gone; empty: nothing. `only`: of these sections."""
        found = []
        for section, now in self.lines.items():
            if not only or section in only:
                then = before.lines[section]
                found += [f"{section}: + {line}" for line in sorted((now - then).elements())]
                found += [f"{section}: - {line}" for line in sorted((then - now).elements())]
        for pid in self.views.keys() & before.views.keys() if not only or "views" in only else ():
            if self.views[pid] != before.views[pid]:
                found.append(f"views: process {pid} sees {self.views[pid]}, before: {before.views[pid]}")
        for disk, used_kb in self.used_kb.items() if not only or "disks" in only else ():
            if used_kb - before.used_kb[disk] > SLACK_KB.get(disk, OTHER_SLACK_KB):
                found.append(f"disks: {disk}: {used_kb - before.used_kb[disk]} KB more are used")
        return found


def residue(lab: SystemdLab, node: str, *only: str) -> Residue:
    """All that a fault could leave on that machine, past SSH. `only`: what is wanted: a store is not asked in vain."""
    inventory = lab.inventory
    asked = not only or set(only) & set(_STORES)
    here = [database for database in inventory.databases.values() if database.node == node]
    told = {
        "disks": " ".join(inventory.nodes[node].disks),
        "database": here[0].dbname if here else "",
        "port": str(here[0].port) if here else "",
        "backups": here[0].backup_dir if here else "",
        "stores": " ".join(store.url for store in inventory.stores.values() if store.node == node and asked),
    }
    names = "".join(f"{name}={value!r}\n" for name, value in told.items())
    sections: dict[str, list[str]] = {}
    for line in lab.on(node, "sh", stdin=f"{names}{_LOOK}", check=False).splitlines():
        if line.startswith("== "):
            sections[line[3:]] = []
        elif line.strip():
            sections[list(sections)[-1]].append(line)
    rules = [re.sub(r"\[\d+:\d+\]", "", line).strip() for line in sections["firewall"] if not line.startswith("#")]
    lines = {
        # The tables of the chains that are empty and accept everything say nothing: the first question makes them.
        "firewall": [rule for rule in rules if not re.fullmatch(r"(\*\w+|COMMIT|:\w+ ACCEPT)", rule)],
        # How it propagates counts, the number of its group does not.
        "mounts": [
            re.sub(r"\b(shared|master):\d+", r"\1", line) for line in sections["mounts"] if " /run/user/" not in line
        ],
        "loops": [line for line in sections["loops"] if str(lab.root) in line or "gameday/" in line],
        "failed": [line.split()[0] for line in sections["failed"]],
        "timers": [name for line in sections["timers"] for name in re.findall(r"\S+\.timer", line)],
        "units": [line.split()[0] for line in sections["units"]],
        # What a run that is proven clean has left to be read: result, boot and time.
        "kept": [line for line in sections["kept"] if not line.endswith(".ended")],
        "partial": sections["partial"],
        "marked": sections["marked"],
        "tables": sections["tables"],
        "files": sections["files"],
        # A store makes and deletes files of its own as it likes: there, only of which sorts there are any.
        "modes": sorted({_STORE_FILES.sub("its own file", line) for line in sections["modes"]}),
        "pipes": [re.sub(r"\d+", "N", line) for line in sections["pipes"]],
        "traced": sections["traced"],
        "held": sections["held"],
        "answers": sections["answers"],
        "records": sections["records"],
        "processes": _commands(sections["processes"]),
    }
    used = {line.split()[5]: int(line.split()[2]) for line in sections["disks"][1:]}
    return Residue({name: Counter(found) for name, found in lines.items()}, used, _views(sections["views"]))


def still_failing(lab: SystemdLab, node: str) -> list[str]:
    """The failure points of libfiu that are on in any process of that machine, and whoever does not tell. Ends them.

    To disable one that is not enabled is answered by -1: that is how libfiu can be asked.
    """
    names = " ".join(sorted({name for mode in MODES.values() for name in mode.names}))
    told = lab.on(node, "sh", stdin=f"names={names!r}\n{_DISABLE}", check=False)
    return [line for line in told.splitlines() if not line.startswith("-1 disable name=")]


def _views(listing: list[str]) -> dict[str, str]:
    """Of each process all its mounts, in whatever order."""
    seen: dict[str, list[str]] = {}
    for line in listing:
        process, mount = line.split(None, 1)
        seen.setdefault(process.split("/")[2], []).append(mount)
    return {pid: "; ".join(sorted(mounts)) for pid, mounts in seen.items()}


def _commands(listing: list[str]) -> list[str]:
    """The commands of what runs, without this question's own processes and those that come and go with sessions."""
    words = [line.split(None, 2) for line in listing]
    own = words[0][0]
    return [
        command for pid, parent, command in words[1:] if own not in (pid, parent) and not _OTHERS.match(command)
    ]  # fmt: skip
