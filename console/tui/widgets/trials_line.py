"""How far the trials of an experiment are, on one line: count, rate and interval, and a sign for each trial."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from console.events import RunStarted
from console.interval import percent, span
from console.run.pass_rate import Progress, rough
from console.tui import words

STRIP_CELLS = 10
"""Fewer signs than this tell nothing: then they are left out."""
_SIGNS = {"PASS": ("✓", words.GOOD), "FAIL": ("✗", words.BAD), "SKIP": ("○", words.QUIET)}


class TrialsLine(Widget):
    """One line; not there where the plan is run once."""

    HELP = (
        "Trials of one experiment: how many passed, the rate with its 95 % interval, and a sign for each: ✓ passed, "
        "✗ failed, ○ not run, ● now, · to come. `ctrl+x` aborts the one that is on and begins no other."
    )

    def __init__(self) -> None:
        super().__init__()
        self._line = Content()
        self.display = False

    def show(self, progress: Progress | None, started: RunStarted | None, now_s: float) -> None:
        """Show them; of a run that is only looked at, which trial it is."""
        if progress:
            line = trials_line(progress, self.content_size.width, now_s)
        elif started and started.trial:
            line = words.text(f"trial {started.trial} of {started.trials}", "bold")
        else:
            return
        self.display = True
        if not line.is_same(self._line):
            self._line = line
            self.refresh()

    def render(self) -> Content:
        """The line as it is."""
        return self._line


def trials_line(progress: Progress, width: int, now_s: float) -> Content:
    """`trial 7 of 20 · 6 passed · 100 % (61-100 %)`, then the signs of as many trials as there is room for."""
    told = [_which(progress), f"{progress.passed} passed"]
    if progress.failed:
        told.append(f"{progress.failed} failed")
    not_run = len(progress.done) - progress.tried
    if not_run:
        told.append(f"{not_run} not run")
    if progress.rate is not None:
        told.append(f"{percent(progress.rate)} ({span(progress.interval)})")
    left_s = None if progress.over else progress.left_s(now_s)
    if left_s:
        told.append(f"about {rough(left_s)} left")
    said = Content.assemble((told[0], "bold"), " · ", " · ".join(told[1:]))
    room = width - said.cell_length - 3
    return Content.assemble(said, "   ", strip(progress, room)) if room >= min(STRIP_CELLS, progress.trials) else said


def _which(progress: Progress) -> str:
    if progress.over or progress.stopped or len(progress.done) == progress.trials:
        return f"{len(progress.done)} of {progress.trials} trials"
    return f"trial {len(progress.done) + 1} of {progress.trials}"


def strip(progress: Progress, width: int) -> Content:
    """A sign for each trial; where there is no room for all, those around the one that is on, and `…` for the rest."""
    signs = [_SIGNS[trial.entry.word] for trial in progress.done]
    on = len(signs)
    if on < progress.trials and not (progress.over or progress.stopped):
        signs.append(("●", "bold $text-primary"))
    signs += [("·", words.QUIET)] * (progress.trials - len(signs))
    if len(signs) > width:
        room = width - 2
        first = max(0, min(on - room * 3 // 4, len(signs) - room))
        cut = signs[first : first + room]
        before, after = ("…" if first else " "), ("…" if first + room < len(signs) else " ")
        signs = [(before, words.QUIET), *cut, (after, words.QUIET)]
    return Content.assemble(*signs)
