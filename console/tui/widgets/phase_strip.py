"""The phases of a run on one line: done, now, to come."""

from __future__ import annotations

from typing import Final

from textual.content import Content
from textual.widget import Widget

from console.state import RunState
from console.terms import Phase
from console.tui import words

STEPS: Final = (
    ("checklist", (Phase.CHECKLIST,)),
    ("approval", (Phase.APPROVAL,)),
    ("launch", (Phase.CONFIRM,)),
    ("arm", (Phase.ARM,)),
    ("baseline", (Phase.BASELINE,)),
    ("inject", (Phase.INJECT, Phase.PROVE_EFFECT)),
    ("observe", (Phase.OBSERVE,)),
    ("revert", (Phase.REVERT, Phase.PROVE_REVERTED)),
    ("recovery", (Phase.RECOVERY, Phase.RELEASE)),
    ("post-test", (Phase.POST_TEST,)),
    ("write-up", (Phase.WRITE_UP,)),
)


class PhaseStrip(Widget):
    """One line."""

    def __init__(self) -> None:
        super().__init__()
        self._line = Content()

    def show(self, state: RunState) -> None:
        """Show where the run is."""
        line = strip_line(state, self.content_size.width)
        if not line.is_same(self._line):
            self._line = line
            self.refresh()

    def render(self) -> Content:
        """The line as it is."""
        return self._line


def strip_line(state: RunState, width: int) -> Content:
    """The steps in `width` cells; the names of the earliest go first where there is no room."""
    entered = {phase for phase, _ in state.phases}
    order = list(Phase)
    now = order.index(state.phase)
    steps: list[tuple[str, str, str]] = []
    for name, phases in STEPS:
        if state.phase in phases:
            steps.append(("●", name, "bold $text-primary"))
        elif any(phase in entered for phase in phases) and order.index(phases[-1]) < now:
            steps.append(("✓", name, words.GOOD))
        else:
            steps.append(("○" if order.index(phases[0]) > now else "·", name, words.QUIET))
    named = len(steps)
    while named and _length(steps, named) > width:
        named -= 1
    parts = []
    for index, (glyph, name, style) in enumerate(steps):
        short = index < len(steps) - named and glyph != "●"
        parts.append(words.text(glyph if short else f"{glyph} {name} ", style))
    return Content().join(parts)


def _length(steps: list[tuple[str, str, str]], named: int) -> int:
    cut = len(steps) - named
    return sum(1 if index < cut and glyph != "●" else len(name) + 3 for index, (glyph, name, _) in enumerate(steps))
