"""The shell texts that go to a node: always over standard input, never on a command line."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from shlex import quote

from console.faults.base import Scripts
from console.faults.component import TOKEN
from console.nodes.proof import GuardKind

STEPS = ("inject", "effect", "revert", "clean")
NEEDED_KB = 1024
"""What must be free in the run folder's file system."""


@cache
def text(name: str) -> str:
    """The shell text of that name beside this module."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def whole(*parts: str) -> str:
    """A program for `sh -s` that does nothing at all if its end does not arrive.

    >>> print(whole("rm -rf /x/y\\n"), end="")
    {
    rm -rf /x/y
    }
    """
    return "".join(["{\n", *(part if part.endswith("\n") else f"{part}\n" for part in parts), "}\n"])


def assignments(values: Mapping[str, str | int]) -> str:
    """Shell assignments, one a line.

    >>> assignments({"R": "/run/game day", "N": 3})
    "R='/run/game day'\\nN=3\\n"
    """
    return "".join(f"{name}={quote(str(value))}\n" for name, value in values.items())


def file(path: str, content: str) -> str:
    """A command that writes a file whose content stands in it word for word."""
    return f"printf '%s' {quote(content)} >{quote(path)}\n"


def prepare(
    run_dir: str,
    run: str,
    kind: GuardKind,
    settings: Mapping[str, str | int],
    actions: list[Scripts],
    *,
    undo_dir: str,
    keep_undo: bool = False,
    tokens: Mapping[int, str] | None = None,
) -> str:
    """The program that makes a run's folder: the guard, its settings, the four scripts of each action in 1, 2, ...

    It is refused while `undo_dir` holds a run from before a reboot; with `keep_undo` the folder is written there too,
    but for `tokens`: what an action (by its number) has to show to an application, in memory only.
    It says `boot ID` in the end.
    """
    undo = f"{undo_dir}/{run}" if keep_undo else ""
    names: dict[str, str | int] = {"R": run_dir, "RUN": run, "NEEDED_KB": NEEDED_KB, "UNDO_DIR": undo_dir, "UNDO": undo}
    parts = [assignments(names), text("prepare.sh")]
    for number, scripts in enumerate(actions, start=1):
        parts.append(f"mkdir {number}\n")
        parts += [file(f"{number}/{step}", getattr(scripts, step)) for step in STEPS]
    parts.append(file("guard", text("lib.sh") + text("guard.sh") + text(f"guard_{kind}.sh")))
    numbers = [str(number) for number in range(1, len(actions) + 1)]
    order = {"KIND": kind, "ACTIONS": " ".join(numbers), "REVERSED": " ".join(reversed(numbers))}
    places = {"AT": f"{run_dir}/{run}", "UNDO": undo}
    # Last, so that a folder without settings is known as one in which nothing can have happened.
    parts += [file("settings", assignments({**settings, **order, **places}))]
    parts.append("keep_undo\n" if keep_undo else "")
    parts += [file(f"{number}/{TOKEN}", token) for number, token in (tokens or {}).items()]
    parts += ["trap - EXIT\n", 'echo "boot $boot"\n']
    return whole(*parts)
