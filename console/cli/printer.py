"""A run on standard output: one line an event for people, or JSON lines for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from console import events as ev
from console.cli.table import table
from console.record.lines import encode
from console.record.result import encode_result, result
from console.record.timeline import told
from console.run.pass_rate import (
    Progress,
    Trial,
    TrialsResult,
    glyphs,
    progress_line,
    recoveries,
    sentence,
    trial_line,
    word,
)
from console.run.suite import SuiteResult, counts, rows
from console.state import RunState
from console.terms import Status

if TYPE_CHECKING:
    from console.trials import Trials

GLYPH = {Status.PASS: "✓", Status.FAIL: "✗", Status.UNKNOWN: "?", Status.PENDING: "○"}


class Printer:
    """Prints what it is told. A closed terminal or pipe never stops a run: from then on it prints nothing."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._gone = False
        self._over = ""
        """What wipes the line that stands there for the moment; empty: there is none."""
        self._started_s: float | None = None

    def follow(self, subscribe: Callable[[Callable[[ev.AnyEvent], None]], object]) -> None:
        """Print every event from now on."""
        self._started_s = None
        subscribe(self.event)

    def event(self, event: ev.AnyEvent) -> None:
        """Print one event."""
        if isinstance(event, ev.Injected) and self._started_s is None:
            self._started_s = event.at_s
        if self._json:
            self._write(encode(event).decode())
            return
        text = describe(event)
        if text:
            self._write(f"{self._stamp(event.at_s)} {text}")

    def result(self, state: RunState) -> None:
        """Print the result object, or the last sentence."""
        if self._json:
            self._write(encode_result(result(state)))
        elif state.conclusion:
            why = f" ({state.conclusion.reason.value})" if state.conclusion.reason.value else ""
            self._write(f"{state.conclusion.outcome.value}{why}: {state.conclusion.sentence}")

    def line(self, text: str) -> None:
        """Print one line for people; programs find the same in the last object."""
        if not self._json:
            self._write(text)

    def suite(self, told: SuiteResult, stored: str) -> None:
        """Print the suite's object; for people its table, the count, and where its row is."""
        if self._json:
            self._write(msgspec.json.encode(told).decode())
            return
        lines = table(("test", "result", "run", "figure or reason"), rows(told.tests))
        self._write(f"\nsuite {told.suite}\n{lines}\n{counts(told.tests)}\n{stored}")

    def follow_trials(self, trials: Trials) -> None:
        """Print the trials as they come: for programs every event and result, for people a line each and how far."""

        def ended(trial: Trial, state: RunState) -> None:
            self._started_s = None
            if self._json:
                self.result(state)
            else:
                self._write(trial_line(trial, trials.progress.trials))
                self._progress(progress_line(trials.progress, trial.ended_s))

        trials.on_trial(ended)
        if self._json:
            self.follow(trials.listen)
        else:
            scenario = trials.plan.scenario
            first, count = trials.plan.run, trials.progress.trials
            self._write(
                f"{count} trials of {scenario.name} (risk {scenario.risk.value}), one run after the other from {first}"
            )

    def trials(self, told: TrialsResult, progress: Progress) -> None:
        """Print the object of all trials; for people what they say, and where the row is."""
        if self._json:
            self._write(msgspec.json.encode(told).decode())
            return
        self._write(f"\n{told.trials} trials of {told.scenario}, plan {told.run}: {word(progress)}")
        times = recoveries([trial.entry for trial in progress.done])
        unbegun = told.trials - len(progress.done)
        rest = [f"{unbegun} not begun: {progress.stopped}"] if unbegun else []
        self._write("\n".join([glyphs(progress), sentence(progress), *times, *rest, progress.row]))

    def _progress(self, line: str) -> None:
        """On a terminal the next line takes its place."""
        if sys.stdout.isatty():
            self._write(line, end="")
            self._over = "\r\033[K"
        else:
            self._write(line)

    def _stamp(self, at_s: float) -> str:
        clock = datetime.fromtimestamp(at_s).astimezone().strftime("%H:%M:%S")
        return f"{clock} T+{at_s - self._started_s:5.1f}" if self._started_s is not None else f"{clock}        "

    def _write(self, line: str, end: str = "\n") -> None:
        if self._gone:
            return
        try:
            sys.stdout.write(self._over + line + end)
            self._over = ""
            sys.stdout.flush()
        except OSError:
            self._gone = True


def describe(event: ev.AnyEvent) -> str:
    """The event in one line for people; empty where it is not worth one."""
    match event:
        case ev.RunStarted():
            return f"run {event.run}: {event.title} (risk {event.risk}), operator {event.operator}"
        case ev.ItemChecked():
            return f"{GLYPH[event.status]} {told(event)}: {event.evidence}"
        case ev.EffectJudged() | ev.SteadyStateJudged() | ev.ExpectationJudged() | ev.Reverted() | ev.CleanJudged():
            return f"{GLYPH[event.status]} {told(event)}"
        case ev.RestoredByConsole():
            return f"{GLYPH[event.status]} {told(event)}"
    return told(event)
