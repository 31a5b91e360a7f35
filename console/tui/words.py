"""How things are said on the screen: glyph, word and, last, colour; the age of a number; sizes and times for people."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from textual.content import Content

from console.terms import Outcome, Risk, Status
from console.tui.ports.experiment import ExperimentView, Readiness

STALE_S: Final = 3.0
"""From this age in seconds a number shows its age."""
GONE_S: Final = 10.0
"""From this age in seconds a number is no longer known."""

_SHELL_WORD: Final = re.compile(r"""(?:'[^']*'|"[^"]*"|[^\s'"])+""")

GOOD, BAD, WARN, QUIET, LOUD = "$text-success", "$text-error", "$text-warning", "$text-muted", "bold"

_CHECK = {
    Status.PENDING: ("○ pending", QUIET),
    Status.PASS: ("✓ pass", GOOD),
    Status.FAIL: ("✗ fail", BAD),
    Status.UNKNOWN: ("? unknown", WARN),
}
_EXPECTED = {**_CHECK, Status.PASS: ("✓ met", GOOD), Status.FAIL: ("✗ missed", BAD)}
_RISK = {Risk.LOW: ("▁ low", GOOD), Risk.MEDIUM: ("▄ medium", WARN), Risk.HIGH: ("█ high", BAD)}
_OUTCOME = {
    Outcome.PASSED: ("✓ passed", GOOD),
    Outcome.FAILED: ("✗ failed", BAD),
    Outcome.NOT_RUN: ("○ not run", QUIET),
    Outcome.ABORTED: ("! aborted", WARN),
    Outcome.UNSAFE: ("✗ UNSAFE", f"{BAD} bold"),
    Outcome.HELD: ("● held", WARN),
}


def text(words: str, style: str = "") -> Content:
    """The words as they are, whatever brackets they hold."""
    return Content.styled(words, style) if style else Content(words)


def checked(status: Status, *, attested: bool = False) -> Content:
    """A checklist item's status: `✓ pass`, `✗ fail`, `? unknown`, `○ pending`; `✓ attested` for a person's word."""
    words, style = _CHECK[status]
    return text("✓ attested" if attested and status is Status.PASS else words, style)


def expected(status: Status, *, attested: bool = False) -> Content:
    """An expectation's status: `✓ met`, `✗ missed`, `? unknown`, `○ pending`; `✓ attested` for a person's word."""
    words, style = _EXPECTED[status]
    return text("✓ attested" if attested and status is Status.PASS else words, style)


def risk(value: Risk) -> Content:
    """`▁ low`, `▄ medium`, `█ high`."""
    return text(*_RISK[value])


def outcome(value: Outcome) -> Content:
    """`✓ passed` and the others."""
    return text(*_OUTCOME[value])


def here(experiment: ExperimentView) -> Content:
    """Whether it can run here: `● ready`, `✗ lacks iptables on greenfin (apt install iptables)`, `? unknown: …`."""
    if experiment.problem:
        return text(f"✗ {experiment.problem}", WARN)
    untold = [told.sentence for told in experiment.needs if told.status is not Status.PASS]
    return text(f"? {'; '.join(untold)}", WARN) if untold else text("● ready", GOOD)


def needed(told: Readiness) -> Content:
    """A node's line on the experiment's page, with the glyph of its status."""
    glyph, style = {Status.PASS: ("●", GOOD), Status.FAIL: ("✗", BAD)}.get(told.status, ("?", WARN))
    return text(f"{glyph} {told.sentence}", style)


def service(active: str) -> Content:
    """A service manager's word with its glyph: `● active`, `◐ activating`, `✗ failed`, `○ inactive`, `? unknown`."""
    glyph, style = {
        "active": ("●", GOOD),
        "activating": ("◐", WARN),
        "deactivating": ("◑", WARN),
        "reloading": ("◐", WARN),
        "failed": ("✗", BAD),
        "inactive": ("○", WARN),
    }.get(active, ("?", WARN))
    return text(f"{glyph} {active or 'unknown'}", style)


def age_s(seen_at_s: float | None, now_s: float) -> float:
    """How old something is, in seconds; infinite when it was never seen."""
    return float("inf") if seen_at_s is None else max(0.0, now_s - seen_at_s)


def aged(words: str, seen_at_s: float | None, now_s: float, style: str = "") -> Content:
    """The number with its age from 3 s on; `?` from 10 s on: an old number is not a number.

    >>> aged("41 %", 100.0, 102.9).plain, aged("41 %", 100.0, 105.0).plain, aged("41 %", 100.0, 110.5).plain
    ('41 %', '41 % 5 s ago', '?')
    """
    old_s = age_s(seen_at_s, now_s)
    if old_s > GONE_S:
        return text("?", WARN)
    if old_s > STALE_S:
        return Content.assemble((words, WARN), (f" {old_s:.0f} s ago", QUIET))
    return text(words, style)


def seconds(value_s: float) -> str:
    """A duration for people.

    >>> seconds(2.44), seconds(12.3), seconds(75), seconds(3700)
    ('2.4 s', '12 s', '1 min 15 s', '1 h 01 min')
    """
    if value_s < 9.95:
        return f"{value_s:.1f} s"
    if value_s < 60:
        return f"{value_s:.0f} s"
    if value_s < 3600:
        return f"{int(value_s // 60)} min {int(value_s % 60):02d} s"
    return f"{int(value_s // 3600)} h {int(value_s % 3600 // 60):02d} min"


def whole_seconds(value_s: float) -> str:
    """A countdown: whole seconds, which do not flicker.

    >>> whole_seconds(11.6), whole_seconds(-3), whole_seconds(75)
    ('12 s', '0 s', '1 min 15 s')
    """
    whole = max(0.0, float(round(value_s)))
    return f"{whole:.0f} s" if whole < 60 else seconds(whole)


def size(value_bytes: float) -> str:
    """Bytes for people.

    >>> size(900), size(10 * 2**20), size(7.6 * 2**30)
    ('900 B', '10 MB', '7.6 GB')
    """
    for unit, one in (("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10)):
        if value_bytes >= one:
            amount = value_bytes / one
            return f"{amount:.1f} {unit}" if amount < 10 and unit != "MB" else f"{amount:.0f} {unit}"
    return f"{value_bytes:.0f} B"


def t_plus(at_s: float, zero_s: float | None) -> str:
    """The time of an event as the room counts it, from the injection; a dash where nothing is injected yet.

    >>> t_plus(112.4, 100.0), t_plus(95.0, 100.0), t_plus(95.0, None)
    ('T+12.4', 'T-5.0', '')
    """
    if zero_s is None:
        return ""
    return f"T{'-' if at_s < zero_s else '+'}{abs(at_s - zero_s):.1f}"


def clock(at_s: float) -> str:
    """Local time of day, `HH:MM:SS`."""
    return datetime.fromtimestamp(at_s).astimezone().strftime("%H:%M:%S")


def day(at_s: float) -> str:
    """Local date and time, `YYYY-MM-DD HH:MM`."""
    return datetime.fromtimestamp(at_s).astimezone().strftime("%Y-%m-%d %H:%M")


def clip(words: str, width: int) -> str:
    """At most `width` characters, the cut shown.

    >>> clip("executive-jr-autonomic", 12)
    'executive-j…'
    """
    return words if len(words) <= width else words[: max(0, width - 1)] + "…"


def fit(content: Content, width: int) -> Content:
    """Exactly `width` cells: cut, or filled up with spaces."""
    return content.truncate(width, ellipsis=True, pad=True)


def pasteable(command: str, width: int, *, taken: int = 0) -> str:
    """The command on lines of at most `width` cells, `taken` cells less on the first, that a shell takes as they are.

    Lines end between the shell's words, with a backslash; a word that is longer than a line stays whole.

    >>> print(pasteable("ssh -p 22 node 'sh /run/x/guard stop'", 14))
    ssh -p 22 \\
    node \\
    'sh /run/x/guard stop'
    """
    parts = _SHELL_WORD.findall(command)
    if " ".join(parts) != command:
        return command
    lines = [" " * taken]
    for part in parts:
        line = f"{lines[-1]} {part}" if lines[-1].strip() else lines[-1] + part
        if lines[-1].strip() and len(line) > width - len(" \\"):
            lines.append(part)
        else:
            lines[-1] = line
    return " \\\n".join(lines)[taken:]


def hanging(head: Content, body: Content, width: int) -> Content:
    """The body beside its head, its further lines below its first.

    >>> hanging(Content("- "), Content("one two"), 6).plain.splitlines()
    ['- one', '  two']
    """
    indent = head.cell_length
    wrapped = body.wrap(max(10 if width >= 20 else 1, width - indent)) or [Content()]
    lines = [head + wrapped[0].rstrip(), *(Content(" " * indent) + line.rstrip() for line in wrapped[1:])]
    return Content("\n").join(lines)
