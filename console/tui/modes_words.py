"""What is said of fault modes: a service in the list, a wish before it begins, and the numbers while it acts."""

from __future__ import annotations

from textual.content import Content

from console.chaos import stats
from console.chaos.stats import Stats
from console.chaos.wish import FOR_S, Wish
from console.faults.call_modes import MODES
from console.modes import Acting, Aim, Outlook
from console.plot.series import bounds
from console.tui import words
from console.tui.families import Series

TITLE = 17
"""Columns of the titles beside numbers."""
STATE = 11
"""Columns of a service's state in the list."""
CLOSE_PCT = 2.0
"""A rate whose interval lies further than this from the one that is due, in points, is marked."""
UNKNOWN = "? unknown: "


def aim_row(aim: Aim, state: Content, width: int) -> Content:
    """A service of the node that is named above it, with its state, like `  sigil   ● at 30 %`."""
    name = words.text(f"  {words.clip(aim.service, width - STATE - 3)}", words.QUIET if aim.refused else "bold")
    return words.fit(name, width - STATE) + words.fit(state, STATE)


def aim_state(aim: Aim, acting: Acting | None, unseen: str, now_s: float, *, begun: bool) -> Content:
    """Like `● at 30 %`, `✗ refused` or `○ free`; `‖ other`: a mode acts in another service of that node."""
    if aim.refused:
        return words.text("✗ refused", words.BAD)
    if acting and acting.stats.unit == aim.unit:
        return words.aged(f"● at {acting.stats.asked_pct:g} %", acting.at_s, now_s, f"bold {words.WARN}")
    if unseen:
        return words.text("? unseen", words.WARN)
    if begun:
        return words.text("◐ begins", words.WARN)
    return words.text("‖ other", words.QUIET) if acting else words.text("○ free", words.GOOD)


def lines(told: list[tuple[str, Content]], width: int) -> Content:
    """Title and text of each line, further lines of a text below its first."""
    return Content("\n").join(
        words.hanging(words.text(title.ljust(TITLE), words.QUIET), text, width) for title, text in told
    )


def wished(wish: Wish, outlook: Outlook | None) -> list[tuple[str, Content]]:
    """A wish in words, with what would make it and at which rate."""
    made = MODES[wish.mode]
    does = f"{made.subsystem}: {made.errno}" if made.errno else _DOES[wish.mode]
    rate = f"{wish.rate_pct:g} %" if wish.mode != "random_panic" else f"{wish.rate_pct:g} % chance every 5 s"
    until = (
        f"{words.seconds(wish.for_s)}, then its node ends it by itself"
        if wish.for_s
        else f"as long as this console holds it, at most {FOR_S[1] / 3600:g} h"
    )
    return [
        ("Mode", Content.assemble((wish.mode, "bold"), (f"  {does}", words.QUIET))),
        ("Rate", words.text(rate, "bold")),
        ("Time", words.text(until)),
        ("Made by", made_by(wish, outlook)),
    ]


def before(acting: Acting) -> tuple[str, Content]:
    """What the last mode there came to."""
    told = Content.assemble(
        (f"{acting.stats.mode} at {acting.stats.asked_pct:g} %", "bold"), "; achieved: ", _achieved(acting, wide=True)
    )
    return "Last here", told


_DOES = {"random_panic": "killed, as a seed says", "slow_io": "files: 200 ms longer"}


def made_by(wish: Wish, outlook: Outlook | None) -> Content:
    """The backend, and the nearest rate where that is another than the one that is wanted."""
    if outlook is None:
        return words.text("◐ asking its node", words.WARN)
    if outlook.backend is None:
        return words.text(f"✗ nothing: {outlook.why}", words.BAD)
    slower = words.text("; it runs at about half its speed", words.QUIET) if outlook.backend == "strace" else Content()
    if abs(outlook.rate_pct - wish.rate_pct) < 0.05:
        return Content.assemble((outlook.backend, "bold"), ", at that rate", slower)
    nearest = f"{outlook.rate_pct:.1f} %"
    return Content.assemble(
        (outlook.backend, "bold"),
        ", nearest rate ",
        (nearest, f"bold {words.WARN}"),
        f" to {wish.rate_pct:g} %",
        slower,
    )


def numbers(acting: Acting, now_s: float, *, wide: bool) -> list[tuple[str, Content]]:
    """The numbers of a mode that acts; what nobody counts is unknown, never nothing."""
    told = acting.stats
    found = [("Mode", words.text(told.mode, "bold")), ("Failure rate", words.text(stats.rate(told), "bold"))]
    found += [(title, _known(stats.errors(told, errno))) for errno, title in stats.OF_ERRNO.items()]
    found.append(("Calls", _calls(told)))
    found.append(("Rate achieved", _achieved(acting, wide=wide)))
    if told.mode == "random_panic":
        found.append(("Kills", words.text(f"{told.kills} (seed {told.seed})", "bold")))
    if wide:
        found += [(f"  {name}", words.text(f"{hit} of {seen}")) for name, (seen, hit) in sorted(told.calls.items())]
    found.append(("Made by", words.text(told.backend or "? not chosen yet")))
    found.append(("Held", _held(acting, now_s)))
    if told.trouble:
        found.append(("Trouble", words.text(f"✗ {told.trouble}", words.BAD)))
    return found


def _known(told: str) -> Content:
    if told.startswith("unknown"):
        return words.text(f"? {told}", words.WARN)
    return words.text(told, "bold" if told[0] != "0" else words.QUIET)


def _calls(told: Stats) -> Content:
    if told.seen is not None:
        return words.text(f"{told.seen} seen, {told.injected} injected")
    if told.backend == "libfiu":
        return words.text(f"{UNKNOWN}libfiu keeps no counters", words.WARN)
    return words.text("not of calls: it is killed" if told.backend == "kill" else f"{UNKNOWN}not counted yet")


def _achieved(acting: Acting, *, wide: bool) -> Content:
    if acting.achieved is None:
        told = "unknown: no call at this rate yet" if acting.stats.achieved else stats.achieved(acting.stats)
        return words.text(f"? {told}" if told.startswith("unknown") else told, words.WARN)
    rate, low, high, hits, calls = acting.achieved
    of = f", {hits} of {calls}" if wide else ""
    due = acting.stats.acts_pct
    met = acting.stats.schedule != "steady" or due is None or low - CLOSE_PCT <= due <= high + CLOSE_PCT
    found = words.text(f"{rate:.1f} %", "bold") if met else words.text(f"! {rate:.1f} %", f"bold {words.WARN}")
    return Content.assemble(found, f" (95 %: {low:.1f} to {high:.1f}){of}")


def _held(acting: Acting, now_s: float) -> Content:
    told, left_s = acting.stats, acting.left_s(now_s)
    left = words.whole_seconds(left_s) if left_s is not None else "?"
    if told.until_s is not None:
        return Content.assemble("until ", (words.clock(told.until_s), "bold"), f", {left}, by its node")
    if told.lease_left_s is not None and told.lease_left_s < 0:
        return words.text("◐ its guard is taking it back", words.WARN)
    return Content.assemble((told.operator, "bold"), f"'s console, lease {left}")


def series(acting: Acting) -> tuple[str, Series | None]:
    """What is drawn of it, by name; None: nobody counts."""
    counted = acting.stats.counted
    if counted is None or not acting.history:
        return "injected calls/s", None
    name = {"calls": "injected calls/s", "kills": "kills", "service": "errors/s, as the service counts"}[counted[0]]
    low, high = bounds([value for _, value in acting.history])
    return name, Series("", acting.history, low, high, "" if counted[0] == "kills" else "/s")
