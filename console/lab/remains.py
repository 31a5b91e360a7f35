"""What a lab leaves behind: finding out, ending its processes, and clearing its folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from console.errors import BadInput, GamedayError
from console.lab.layout import LabLayout
from console.lab.processes import kill_marked
from console.lab.systemd.remains import clear_kernel


class Facts(msgspec.Struct, frozen=True):
    """What a lab's daemon writes down about itself."""

    id: str
    pid: int
    ports: dict[str, int]
    """By name, see fleet.port_names."""
    shared: str = ""
    """Why the nodes share the machine's network and disks; empty: each has its own."""
    open: str = ""
    """Why the nodes have no firewall; empty: they have one."""


def read_facts(lab: LabLayout) -> Facts | None:
    """The facts of the lab that runs, or ran last, in that folder."""
    try:
        return msgspec.json.decode(lab.facts.read_bytes(), type=Facts)
    except (OSError, msgspec.DecodeError):
        return None


def check_folder(root: Path) -> None:
    """Make sure that the folder may become a lab's: it is not there, empty, or was a lab's before.

    Raises:
        BadInput: it holds something else, which `up` would wipe.
    """
    if root.exists() and not root.is_dir():
        raise BadInput("is not a folder", file=root)
    if root.is_dir() and not LabLayout(root).mark.exists() and any(root.iterdir()):
        raise BadInput("is neither empty nor a lab's folder; choose another with --dir", file=root)


def end_processes(lab: LabLayout) -> None:
    """End what a killed lab left running. Only while its lock is held.

    Raises:
        GamedayError: a process of it cannot be ended.
    """
    facts = read_facts(lab)
    if facts and (left := kill_marked(facts.id, pgdata=lab.pgdata)):
        raise GamedayError(f"processes of the lab before cannot be ended: {' '.join(map(str, left))}")
    if facts:
        clear_kernel(facts.id)


def clear(lab: LabLayout) -> None:
    """Clear the folder of a lab before, its processes ended, all but the lock and the new daemon's log."""
    for entry in lab.root.iterdir():
        if entry not in (lab.mark, lab.log):
            _remove(entry)


def tidy(lab: LabLayout) -> None:
    """Clear the folder of a lab that went down, all but the lock and the logs."""
    for entry in lab.root.iterdir():
        if entry.is_dir() and (entry / "log").is_dir():
            for inner in entry.iterdir():
                if inner.name != "log":
                    _remove(inner)
        elif entry not in (lab.mark, lab.log):
            _remove(entry)


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink()
