"""The expectations of a run, turning from pending to met or missed, with their times."""

from __future__ import annotations

from typing import Final

from textual.content import Content
from textual.widgets import Static

from console.record.alerts import spell
from console.state import ExpectationState, RunState
from console.terms import Status
from console.tui import words

INDENT = " " * 10


NARROW: Final = 45
"""Below this width, in cells, a name is worth more than the error of its time; the write-up has both."""


class ExpectationList(Static, can_focus=True):
    """Two lines each where there is room, else one."""

    HELP = (
        "What should happen and by when: T counts from the injection, R from the revert. "
        "`?` is unknown, and never counts as met."
    )

    def __init__(self) -> None:
        super().__init__(id="expectations", classes="card")
        self.border_title = "expected"
        self._lines = Content()

    def show(self, state: RunState, now_s: float) -> None:
        """Show them as they are now."""
        size = self.content_size
        count = len(state.expectations)
        met = sum(e.status is Status.PASS and not e.attested for e in state.expectations.values())
        self.border_subtitle = f"{met} of {count} met" if count else ""
        roomy = size.height >= count * 2
        spare = size.height - count * 2 if roomy else 0
        told: dict[str, list[Content]] = {}
        for name, e in sorted(state.expectations.items(), key=lambda item: URGENCY[item[1].status]):
            told[name] = expectation_lines(e, state, now_s, size.width, roomy=roomy, spare=spare)
            spare -= max(0, len(told[name]) - 2)
        lines = [line for name in state.expectations for line in told[name]]
        if len(lines) > size.height > 0:
            lines = _most_urgent(state, now_s, size.width, size.height)
        content = Content("\n").join(lines or [words.text("nothing: an observation", words.QUIET)])
        if not content.is_same(self._lines):
            self._lines = content
            self.update(content, layout=False)


URGENCY: Final = {Status.FAIL: 0, Status.UNKNOWN: 1, Status.PENDING: 2, Status.PASS: 3}


def _most_urgent(state: RunState, now_s: float, width: int, height: int) -> list[Content]:
    """As many as fit, in their order; those that are met go first where there is no room."""
    every = list(state.expectations.values())
    kept = sorted(every, key=lambda e: URGENCY[e.status])[: height - 1]
    gone = [e for e in every if e not in kept]
    met = sum(e.status is Status.PASS for e in gone)
    rest = ", ".join(filter(None, (f"{met} met" * bool(met), f"{len(gone) - met} to come" * (len(gone) > met))))
    lines = [line for e in every if e in kept for line in expectation_lines(e, state, now_s, width, roomy=False)]
    return [*lines, words.fit(words.text(f"  and {rest}", words.QUIET), width)]


def expectation_lines(
    e: ExpectationState, state: RunState, now_s: float, width: int, *, roomy: bool, spare: int = 0
) -> list[Content]:
    """An expectation in one or two lines of `width` cells; what was seen takes `spare` lines more at most."""
    letter, start_s = ("T", state.injected_at_s) if e.brief.after == "inject" else ("R", state.reverted_at_s)
    limit = f"by {letter}+{e.brief.within_s:g} s"
    if e.status is not Status.PENDING:
        when = (
            f"{e.brief.alert_is} after {spell(e.after_s, e.error_s)}"
            if e.brief.alert and e.after_s is not None and e.status is Status.PASS and width >= NARROW
            else f"{letter}+{e.after_s:.2f}" + (f" ± {e.error_s:.2f}" if e.error_s and width >= NARROW else "") + " s"
            if e.after_s is not None
            else limit
        )
    elif start_s is None or state.conclusion:
        when = limit
    else:
        left_s = start_s + e.brief.within_s - now_s
        when = f"{limit}: {words.whole_seconds(left_s)}" if left_s > 0 else f"{limit}: judging"
    untold = e.status is Status.PENDING and state.conclusion is not None
    state_words = words.fit(
        words.expected(Status.UNKNOWN if untold else e.status, attested=e.attested), 10 + e.attested
    )
    right = words.text(when, "bold" if e.status is Status.PASS else "")
    name = words.text(e.brief.id.replace("-", " ") if not roomy else e.brief.title)
    room = max(0, width - state_words.cell_length - right.cell_length - 1)
    first = state_words + words.fit(name, room) + Content(" ") + right
    if not roomy:
        return [first]
    told = (
        e.observed or "the run ended before it could be judged" * untold or ("" if e.brief.required else "not required")
    )
    attested = f" (attested{f' by {e.by}' if e.by else ''})" if e.attested else ""
    below = words.text(f"{told}{attested}", words.QUIET)
    wrapped = words.hanging(Content(INDENT), below, width).split("\n")
    if len(wrapped) <= 1 + spare:
        return [first, *(words.fit(line, width) for line in wrapped)]
    return [first, words.fit(Content(INDENT) + below, width)]
