"""Running programs on a machine of the lab as root, past SSH: for the lab itself and for its tests."""

from __future__ import annotations

import contextlib
from pathlib import Path

from console.errors import NodeUnreachable
from console.lab.layout import NodeLayout


def leader_of(layout: NodeLayout) -> int:
    """The machine's first process as this host counts, another one after each boot; 0 while it is off."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        holder = int((layout.root / "machine.pid").read_text())
        (loop,) = _children(holder)
        (nspawn,) = (pid for pid in _children(loop) if _name(pid) == "systemd-nspawn")
        for pid in _children(nspawn):
            status = Path(f"/proc/{pid}/status").read_text()
            numbers = next(line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:"))
            if numbers[-1] == "1" and len(numbers) > 2 and _name(pid) != "(sd-stubinit)":
                return pid
    return 0


def command_inside(layout: NodeLayout, *words: str) -> list[str]:
    """The command that runs these words on the machine as root.

    Raises:
        NodeUnreachable: it is off.
    """
    if not (leader := leader_of(layout)):
        raise NodeUnreachable(f"{layout.name} is off")
    return ["nsenter", "-t", str(leader), "-m", "-u", "-i", "-n", "-p", "-C", "--", *words]


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()
