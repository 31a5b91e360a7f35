"""What a fault may need of a node: a closed set of names, each with how to look and how to get it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping

import msgspec

from console.terms import Status

ROOT = "sudo"
"""The one need that every fault has on a node whose inventory says `sudo: true`."""
SYSTEMD_GUARD = "systemd-guard"
WRITER = "python3"
"""What the writer beside a store runs in."""


class Need(msgspec.Struct, frozen=True):
    """One thing that a node has or lacks."""

    name: str
    how: str
    """How to get it, in words that an operator can act on; for a program of Debian's the command."""
    check: str = ""
    """POSIX sh, run as the faults are: exit 0: it is there; else the reason on either output. Empty: a program."""
    instead: str = ""
    """What the fault does without it; empty: the fault cannot be made without it."""


class Answer(msgspec.Struct, frozen=True):
    """What a node said of one need."""

    status: Status
    """Pass, fail or unknown."""
    said: str = ""
    """The reason, where the node gave one."""


class Lack(msgspec.Struct, frozen=True):
    """Something that a node has not, or of which nobody knows."""

    need: str
    status: Status
    said: str = ""

    @property
    def how(self) -> str:
        """How to get it."""
        return NEEDS[self.need].how

    @property
    def instead(self) -> str:
        """What the fault does without it; empty: it cannot be made."""
        return NEEDS[self.need].instead

    @property
    def words(self) -> str:
        """Like `iptables` or `firewall: Permission denied`."""
        return f"{self.need}: {self.said}" if self.said else self.need


def _programs(*lines: str, instead: str = "") -> dict[str, Need]:
    """Each line is a Debian package and the programs that it brings."""
    found: dict[str, Need] = {}
    for package, *names in (line.split() for line in lines):
        found |= {name: Need(name, f"apt install {package}", instead=instead) for name in names}
    return found


NEEDS: dict[str, Need] = {
    **_programs(
        "bash bash",
        "coreutils base64 chmod cut date dd df du env head id kill ls mkdir mkfifo mktemp mv nproc paste",
        "coreutils readlink rm rmdir seq sleep sort stat sync tail timeout touch tr truncate uname wc",
        "dash sh",
        "findutils find xargs",
        "grep grep",
        "gzip gzip",
        "libc-bin getconf",
        "iproute2 ip ss tc",
        "iptables ip6tables ip6tables-restore ip6tables-save iptables iptables-restore iptables-save",
        "iputils-ping ping",
        "mawk awk",
        "postgresql-client pg_amcheck pg_dump pg_isready pg_restore psql",
        "procps free pgrep pkill ps sysctl",
        "python3-minimal python3",
        "sed sed",
        "systemd journalctl systemctl systemd-run",
        "systemd-sysv reboot",
        "util-linux dmesg findmnt flock losetup mount nsenter setpriv setsid umount unshare",
    ),
    **_programs("stress-ng stress-ng", instead="a loop of its own does the work"),
    **_programs("strace strace", instead="only processes with libfiu's preload can be reached"),
    **_programs("util-linux fallocate", instead="dd writes every block"),
    ROOT: Need(
        ROOT,
        "let the account use `sudo -n` (`gameday doctor --sudoers` prints the rule), or log in as root",
        check='[ "$(id -u)" = 0 ] || { echo "the console is not root there"; exit 1; }',
    ),
    "firewall": Need(
        "firewall",
        "apt install iptables, and be root with the right to change the firewall (CAP_NET_ADMIN)",
        check="iptables -w 5 -n -L INPUT >/dev/null",
    ),
    "own-boot": Need(
        "own-boot",
        "a machine that systemd boots, with root by login or sudo",
        check="""\
[ "$(cat /proc/1/comm)" = systemd ] && [ -d /run/systemd/system ] && systemd-run --version >/dev/null 2>&1 ||
  { echo "systemd is not its first process"; exit 1; }
[ "$(id -u)" = 0 ] || { echo "the console is not root there"; exit 1; }""",
    ),
    SYSTEMD_GUARD: Need(
        SYSTEMD_GUARD,
        "systemd 244 or newer, bash and root by sudo; or shell_guard_for_high in the inventory, to accept the shell's",
    ),
}
"""Every need by its name. The check of `systemd-guard` is the guard's own question (console.nodes.capabilities)."""

MARK = "gameday-needs"
"""The first line of the answer: without it nothing was looked at."""


def question(checks: Mapping[str, str]) -> str:
    """The sh text that looks at every need of the set; `checks` are those that are no programs."""
    programs = shlex.join(sorted(name for name in NEEDS if name not in checks))
    lines = ["set -f", f"echo {MARK}"]
    lines.append(f'for p in {programs}; do command -v "$p" >/dev/null 2>&1 && echo "+ $p" || echo "- $p"; done')
    for name, check in checks.items():
        lines.append(f"if said=$(\n(\n{check.rstrip()}\n) 2>&1 </dev/null\n); then echo '+ {name}'")
        lines.append(f"else set -- $said; printf '%s\\n' \"- {name} $*\"; fi")
    return "\n".join(lines) + "\n"


def answers(text: str) -> dict[str, Answer]:
    """What the question's answer says; a need that it does not mention is unknown.

    >>> answers("gameday-needs\\n+ awk\\n- firewall Permission denied\\n")["firewall"].said
    'Permission denied'
    """
    lines = text.splitlines()
    told = lines[lines.index(MARK) :] if MARK in lines else []
    found = {name: Answer(Status.UNKNOWN, "the node did not say") for name in NEEDS}
    for line in told:
        sign, _, rest = line.partition(" ")
        name, _, said = rest.partition(" ")
        if name in NEEDS and sign in ("+", "-"):
            found[name] = Answer(Status.PASS if sign == "+" else Status.FAIL, said.strip() if sign == "-" else "")
    return found


def lacks(wanted: Iterable[str], known: Mapping[str, Answer]) -> tuple[Lack, ...]:
    """Which of the wanted the node has not, or of which it is unknown, by name."""
    found = ((name, known.get(name, Answer(Status.UNKNOWN, "the node was not asked"))) for name in sorted(set(wanted)))
    return tuple(Lack(name, answer.status, answer.said) for name, answer in found if answer.status is not Status.PASS)
