"""What a fault could leave on a machine of the systemd lab: all of it before and after, and what differs."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

from tests.systemd_lab import SystemdLab

SLACK_KB = {"/": 64 * 1024}
"""The journal grows by 8 MB at a time, the database's log too; no fault of the labs writes to that disk."""
OTHER_SLACK_KB = 1024

_LOOK = r"""
section() { echo "== $1"; }
section firewall; iptables-save; ip6tables-save
section mounts; cut -d' ' -f3- /proc/self/mountinfo
section disks; df -kP $disks
section failed; systemctl list-units --state=failed --plain --no-legend
section timers; systemctl list-timers --all --plain --no-legend
section kept; ls -A /run/gameday /var/lib/gameday 2>/dev/null
section processes; ps -eo pid=,ppid=,args=
"""

_FLEETING = re.compile(
    r"^(sshd: |\(sd-pam\)|/lib/systemd/systemd --user|.*\bsleep\b|.*dbus-daemon|postgres: |\(.*\)$|.*sampler|sh -s$"
    r"|-?bash( -c.*)?$|sudo |\[)"
)
"""Sessions of the console that watches, the pauses of services, and what PostgreSQL starts for itself."""


@dataclass(frozen=True)
class Residue:
    """What there is on one machine."""

    firewall: frozenset[str]
    mounts: frozenset[str]
    failed: frozenset[str]
    timers: frozenset[str]
    kept: frozenset[str]
    processes: frozenset[str]
    used_kb: dict[str, int]

    def beyond(self, before: Residue) -> list[str]:
        """What is here and was not there before, or is gone; empty: nothing."""
        found = []
        for field in fields(self):
            if field.name == "used_kb":
                continue
            now, then = getattr(self, field.name), getattr(before, field.name)
            gone = set() if field.name == "processes" else then - now
            found += [f"{field.name}: + {line}" for line in sorted(now - then)]
            found += [f"{field.name}: - {line}" for line in sorted(gone)]
        for disk, used_kb in self.used_kb.items():
            if used_kb - before.used_kb[disk] > SLACK_KB.get(disk, OTHER_SLACK_KB):
                found.append(f"{disk}: {used_kb - before.used_kb[disk]} KB more are used")
        return found


def residue(lab: SystemdLab, node: str) -> Residue:
    """All that a fault could leave on that machine, past SSH."""
    disks = " ".join(lab.inventory.nodes[node].disks)
    sections: dict[str, list[str]] = {}
    for line in lab.on(node, "sh", stdin=f"disks={disks!r}\n{_LOOK}").splitlines():
        if line.startswith("== "):
            sections[line[3:]] = []
        elif line.strip():
            next(reversed(sections.values())).append(line)
    rules = [re.sub(r"\[\d+:\d+\]", "", line).strip() for line in sections["firewall"] if not line.startswith("#")]
    used = {line.split()[5]: int(line.split()[2]) for line in sections["disks"][1:]}
    return Residue(
        firewall=frozenset(_numbered(rules)),
        mounts=frozenset(sections["mounts"]),
        failed=frozenset(line.split()[0] for line in sections["failed"]),
        timers=frozenset(line.split()[-2] for line in sections["timers"]),
        kept=frozenset(line for line in sections["kept"] if not line.endswith(":") and not line.endswith(".ended")),
        processes=frozenset(_commands(sections["processes"])),
        used_kb=used,
    )


def _numbered(rules: list[str]) -> list[str]:
    """The tables of the chains that are empty and accept everything say nothing: the first question makes them."""
    return [rule for rule in rules if not re.fullmatch(r"(\*\w+|COMMIT|:\w+ ACCEPT)", rule)]


def _commands(listing: list[str]) -> list[str]:
    """The commands of what runs, without this question's own processes and those that come and go."""
    words = [line.split(None, 2) for line in listing]
    return [command for _, _, command in (w for w in words if len(w) == 3) if not _FLEETING.match(command)]
