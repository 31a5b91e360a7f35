"""Every key, once: footer, F1 help, command palette and the README's table are made of these bindings."""

from __future__ import annotations

from itertools import groupby
from typing import Final

from textual.binding import Binding


def _key(
    id_: str,
    key: str,
    action: str,
    label: str,
    tooltip: str,
    *,
    show: bool = True,
    priority: bool = False,
    display: str | None = None,
) -> Binding:
    return Binding(key, action, label, show=show, key_display=display, priority=priority, tooltip=tooltip, id=id_)


ANYWHERE: Final = [
    _key(
        "abort",
        "ctrl+x",
        "abort",
        "Abort",
        "Take the fault back: says first what it reverts and in how long",
        priority=True,
    ),
    _key("help", "f1", "explain", "Help", "Explain the pane that has the focus, and its keys", priority=True),
    _key("palette", "ctrl+p", "command_palette", "Palette", "Find any command by its name", show=False),
    _key("shade", "f2", "shade", "Light/dark", "Switch between light and dark", show=False),
    _key("run", "f3", "run", "Run", "Go to the run that this console leads"),
    _key(
        "quit",
        "ctrl+q",
        "leave",
        "Quit",
        "Leave the console; asks first while a node is armed or a write-up unsigned",
        priority=True,
    ),
]

BACK: Final = _key("back", "escape", "back", "Back", "Go back one screen; a run goes on")

HOME: Final = [
    _key("open", "enter", "open", "Open", "Open the chosen experiment", priority=True),
    _key("filter", "slash", "filter", "Filter", "Show only the experiments that match what you type"),
    _key("history", "h", "history", "History", "Past runs"),
    _key("chaos", "c", "chaos", "Chaos", "Fault modes by hand: make a process's calls fail at a rate, watch, end it"),
]
FILTER: Final = [_key("filter-end", "escape", "end_filter", "Show all", "End the filter")]

EXPERIMENT: Final = [
    _key("launch", "l", "prepare", "Checklist", "Begin a run of this experiment at its checklist"),
    _key("parameters", "p", "parameters", "Parameters", "Change the fault's parameters for this run"),
    _key("scroll-down", "down,pagedown", "scroll_text(1)", "Scroll", "Scroll the text", show=False),
    _key("scroll-up", "up,pageup", "scroll_text(-1)", "Scroll", "Scroll the text", show=False),
]

CHAOS: Final = [
    _key("mode-start", "enter", "start", "Start", "Begin the mode on the chosen service, at its launch", priority=True),
    _key("mode", "m", "mode(1)", "Mode", "The next fault mode"),
    _key("mode-before", "b", "mode(-1)", "Mode before", "The fault mode before", show=False),
    _key("rate", "r", "rate", "Rate", "Set how many of the calls fail; also while the mode acts"),
    _key("for", "t", "time", "Time", "For how long: `5m` leaves it to its node, `here` holds it by this console"),
    _key("reset", "x", "reset", "Reset", "End the mode that acts on the chosen node, and prove it gone"),
]

CHECKLIST: Final = [
    _key("tick", "space,enter", "tick", "Tick", "Tick the chosen item, with a note", priority=True),
    _key("fail", "f", "fail", "Fail", "Mark the chosen item as failed, with a note"),
    _key("recheck", "r", "recheck", "Recheck", "Verify the chosen item again"),
    _key("recheck-all", "a", "recheck_all", "All", "Verify all automatic items again"),
    _key("override", "o", "override", "Override", "Go on without the chosen item, with a reason (low risk only)"),
    _key("continue", "c", "go_on", "Continue", "Go on to approval and launch, or see all that stands in the way"),
]
BLOCKED: Final = [
    _key(
        f"recheck-{n}",
        str(n),
        f"recheck({n})",
        "Check again",
        "Check the reason of that number again",
        show=n == 1,
        display="1-9",
    )
    for n in range(1, 10)
]

APPROVAL: Final = [
    _key("copy", "y", "copy", "Copy", "Copy the approve line to the clipboard and to a file"),
    _key("paste-approval", "p", "paste", "Paste approval", "Paste an approval that came by another way"),
    _key("approved", "c", "go_on", "Continue", "Go on to the launch once the approval is sufficient"),
]

CONFIRM: Final = [
    _key("fire", "ctrl+g", "launch", "Launch", "Launch, once the node's name is typed", priority=True),
    _key("copy-revert", "f4", "copy", "Copy revert", "Copy the commands that revert by hand"),
]

LIVE: Final = [
    _key("note", "n", "note", "Note", "Add a note, stamped with this moment"),
    _key("metric", "m", "metric", "Next metric", "Show the next series in the chart that has the focus", show=False),
    _key("writeup", "w", "writeup", "Write-up", "Post-test checklist and write-up"),
    _key("copy-hand-revert", "y", "copy", "Copy revert", "Copy the commands that revert by hand"),
]
REPLAY: Final = [
    _key("earlier", "left", "scrub(-1)", "Earlier", "One second back", priority=True),
    _key("later", "right", "scrub(1)", "Later", "One second on", priority=True),
    _key("previous", "b", "jump(-1)", "-phase", "To the phase before"),
    _key("following", "f", "jump(1)", "+phase", "To the next phase"),
    _key("play", "space", "play", "Play", "Play on in real time, or stop"),
]

WRITEUP: Final = [
    _key(
        "submit",
        "ctrl+s",
        "submit",
        "Sign and store",
        "Sign the verdict and store the row in thermal memory",
        priority=True,
    ),
    _key("verdict", "f5", "verdict", "PASS/FAIL", "Sign the other verdict; contradicting the machine needs a note"),
    _key("post-tick", "space,enter", "tick", "Tick", "Tick the chosen item, with a note", priority=True),
    _key("post-fail", "f", "fail", "Fail", "Mark the chosen item as failed, with a note"),
    _key("post-recheck", "r", "recheck", "Recheck", "Verify the chosen item again"),
]

HISTORY: Final = [
    _key("replay", "enter", "open", "Replay", "Open the chosen run's journal in the live view", priority=True)
]

CONFIRM_ABORT: Final = [_key("abort-now", "y", "yes", "Revert now", "Yes: take the fault back now")]
CANCEL: Final = [_key("cancel", "escape", "cancel", "Cancel", "Close this, change nothing")]
LEAVE: Final = [_key("leave-now", "y", "yes", "Leave", "Yes: leave the console")]
SIGN_OPEN: Final = [_key("sign-open", "y", "yes", "Sign", "Yes: sign with items open")]
ACCEPT_TEXT: Final = [_key("accept", "ctrl+s", "accept", "Accept", "Take the text")]

_WHERE: Final = (
    ("everywhere", [*ANYWHERE, BACK]),
    ("home", [*HOME, *FILTER]),
    ("experiment", EXPERIMENT),
    ("chaos", CHAOS),
    ("checklist", [*CHECKLIST, *BLOCKED]),
    ("approval", [*APPROVAL, *ACCEPT_TEXT]),
    ("launch", CONFIRM),
    ("live", LIVE),
    ("replay", REPLAY),
    ("write-up", WRITEUP),
    ("history", HISTORY),
    ("dialogs", [*CONFIRM_ABORT, *LEAVE, *SIGN_OPEN, *CANCEL]),
)

_SHOWN = {"slash": "/", "escape": "esc"}


def key_table() -> list[tuple[str, str, str]]:
    """Rows of (where, key, what it does), in the order of the README's table; keys that do the same share a row."""
    rows: list[tuple[str, str, str]] = []
    for where, bindings in _WHERE:
        for what, same in groupby(bindings, key=lambda binding: binding.tooltip):
            found = [binding.key for binding in same]
            rows.append((where, f"{found[0]}-{found[-1]}" if len(found) > 2 else " or ".join(map(shown, found)), what))
    return rows


def all_ids() -> set[str]:
    """The ids of every binding in the table."""
    return {binding.id for _, bindings in _WHERE for binding in bindings if binding.id}


def shown(key: str) -> str:
    """A key as people write it.

    >>> shown("slash"), shown("space,enter")
    ('/', 'space or enter')
    """
    return " or ".join(_SHOWN.get(each, each) for each in key.split(","))
