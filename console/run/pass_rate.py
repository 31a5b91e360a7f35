"""Many trials of one experiment: how many passed, what that says of the rate, and the one row that they leave."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median

import msgspec

from console.interval import Z_95, percent, span, wilson
from console.plan.plan import Plan
from console.record.sections import section
from console.record.writeup import STAGE, WriteUp
from console.run.suite import GLYPHS, TEMPERATURE_GAME_DAY, WORST_FIRST, Entry, Word, stops
from console.terms import EXIT_CODES, Outcome, Reason

BAR = 0.95
"""All trials together pass when more than this share of them does (requirements, C3)."""
IN_A_ROW = 3
"""So many trials one after the other that could not be run, and no further one is tried."""
PASSING = (Reason.BASELINE, Reason.BUSY, Reason.CHECKLIST, Reason.LEFTOVERS)
"""Why a trial could not be run, where the next one may well be."""


class Trial(msgspec.Struct, frozen=True):
    """One trial that has ended."""

    number: int
    entry: Entry
    ended_s: float
    """On the console's clock."""


class Progress(msgspec.Struct, frozen=True):
    """How far a plan's trials are. What was not run is neither passed nor failed; what was aborted is not passed."""

    scenario: str
    run: str
    """The plan's run id; the trials' ids begin with it."""
    digest: str
    trials: int
    began_s: float
    bar: float = BAR
    done: tuple[Trial, ...] = ()
    stopped: str = ""
    """Why no further trial is begun; empty: they go on, or all are done."""
    over: bool = False
    """Nothing more is begun or written."""
    row: str = ""
    """What became of the one row of all trials, in words; empty: nothing yet."""

    @property
    def passed(self) -> int:
        """Trials that passed."""
        return self._count("PASS")

    @property
    def failed(self) -> int:
        """Trials that were run and did not pass."""
        return self._count("FAIL")

    def _count(self, word: Word) -> int:
        return sum(trial.entry.word == word for trial in self.done)

    @property
    def tried(self) -> int:
        """Trials that tell something of the rate."""
        return self.passed + self.failed

    @property
    def rate(self) -> float | None:
        """The share of the trials that were run that passed; None: none was run."""
        return self.passed / self.tried if self.tried else None

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson score interval of the rate."""
        return wilson(self.passed, self.tried)

    @property
    def above_bar(self) -> bool:
        """Whether the rate that was seen is above the bar."""
        return self.rate is not None and self.rate > self.bar

    @property
    def shown_above_bar(self) -> bool:
        """Whether the sample shows it: the whole interval is above the bar."""
        return self.interval[0] > self.bar

    def left_s(self, now_s: float) -> float | None:
        """How long the rest will take, in seconds, when it takes as long as the trials so far; None: nobody knows."""
        if not self.done or self.stopped:
            return None
        last_s = self.done[-1].ended_s
        each_s = (last_s - self.began_s) / len(self.done)
        return max(0.0, each_s * (self.trials - len(self.done)) - max(0.0, now_s - last_s))


class TrialsResult(msgspec.Struct, frozen=True):
    """The last JSON line of many trials."""

    scenario: str
    run: str
    digest: str
    trials: int
    passed: int
    failed: int
    not_run: int
    """Not run, or not even begun."""
    rate: float | None
    """Of those that were run; null: none was."""
    interval: tuple[float, float]
    """The 95 % Wilson score interval of the rate."""
    bar: float
    above_bar: bool
    """The rate that was seen is above the bar."""
    interval_above_bar: bool
    """The sample shows it, too."""
    stopped: str
    exit_code: int
    hash: str
    delivered: bool


def why_stop(done: Sequence[Trial], reason: Reason) -> str:
    """Why no further trial is begun after the last of these, which ended with that reason; empty: they go on."""
    last = done[-1].entry
    if stops(last.outcome):
        return f"nothing more is broken after trial {done[-1].number}, {last.outcome.value}"
    if last.outcome is not Outcome.NOT_RUN:
        return ""
    if len(done) == 1 or reason not in PASSING:
        return f"trial {done[-1].number} could not be run: {last.why}"
    if all(trial.entry.outcome is Outcome.NOT_RUN for trial in done[-IN_A_ROW:]) and len(done) >= IN_A_ROW:
        return f"{IN_A_ROW} trials in a row could not be run: {last.why}"
    return ""


def exit_code(progress: Progress) -> int:
    """Unsafe 5, aborted 4, not above the bar 1, some not run 3, else 0: single failures are what the bar is for."""
    outcomes = {trial.entry.outcome for trial in progress.done}
    if len(progress.done) < progress.trials:
        outcomes.add(Outcome.NOT_RUN)
    outcomes.discard(Outcome.FAILED)
    if progress.tried and not progress.above_bar:
        outcomes.add(Outcome.FAILED)
    worst = next((outcome for outcome in WORST_FIRST if outcome in outcomes), Outcome.PASSED)
    return EXIT_CODES[worst]


def word(progress: Progress) -> Word:
    """All trials together: PASS, FAIL, or SKIP where none was run."""
    if not progress.tried:
        return "SKIP"
    bad = any(stops(trial.entry.outcome) for trial in progress.done)
    return "PASS" if progress.above_bar and not bad else "FAIL"


def glyphs(progress: Progress) -> str:
    """A sign for each trial: ✓ passed, ✗ failed, ○ not run, · still to come."""
    signs = [GLYPHS[trial.entry.word] for trial in progress.done]
    return "".join(signs) + "·" * (progress.trials - len(signs))


def counted(progress: Progress) -> str:
    """Like `19 of 20 passed: 95 % (76.4-99.1 %)`."""
    told = f"{progress.passed} of {progress.tried} passed"
    not_run = len(progress.done) - progress.tried
    told += f", {not_run} not run" if not_run else ""
    return told if progress.rate is None else f"{told}: {percent(progress.rate)} ({span(progress.interval)})"


def sentence(progress: Progress) -> str:
    """What the sample says of the bar, and no more than that."""
    if progress.rate is None:
        return f"none of {progress.trials} trials was run: nothing is known of the rate"
    bar = percent(progress.bar)
    if progress.shown_above_bar:
        says = "is above the bar, too"
    elif progress.above_bar:
        enough = f" ({needed(progress.bar)} in a row would)" if not progress.failed else ""
        says = f"begins below it: so few trials do not prove that the true rate is above the bar{enough}"
    elif progress.interval[1] > progress.bar:
        says = "reaches above it: so few trials do not prove that the true rate is below the bar either"
    else:
        says = "lies below it, too"
    return (
        f"{progress.passed} of {progress.tried} trials passed: {percent(progress.rate)}, "
        f"{'above' if progress.above_bar else 'not above'} the bar of {bar}; "
        f"its 95 % interval, {span(progress.interval)}, {says}"
    )


def needed(bar: float) -> int:
    """How many trials, all passed, it takes before the interval's lower end is above the bar.

    Then the lower end is n / (n + z²).

    >>> needed(0.95), wilson(72, 72)[0] > 0.95, wilson(73, 73)[0] > 0.95
    (73, False, True)
    """
    return math.floor(bar * Z_95**2 / (1 - bar)) + 1


def trial_line(trial: Trial, trials: int) -> str:
    """Like `✓ PASS trial 7 of 20: recovered in 2.44 s ± 0.02 (run k3n9m2pqt07)`; of what did not pass, why."""
    entry = trial.entry
    told = entry.figure or entry.why if entry.word == "PASS" else "; ".join(filter(None, (entry.why, entry.figure)))
    run = f" (run {entry.run})" if entry.run else ""
    return f"{GLYPHS[entry.word]} {entry.word} trial {trial.number:>{len(str(trials))}} of {trials}: {told}{run}"


def progress_line(progress: Progress, now_s: float) -> str:
    """Like `6 of 7 passed: 85.7 % (48.7-97.4 %), 13 to come, about 4 min left`."""
    left, left_s = progress.trials - len(progress.done), progress.left_s(now_s)
    time = f", about {rough(left_s)} left" if left_s else ""
    return f"{counted(progress)}, {left} to come{time}"


def rough(seconds: float) -> str:
    """A guess for people.

    >>> rough(41), rough(200), rough(9000)
    ('40 s', '3 min', '2.5 h')
    """
    if seconds < 90:
        return f"{max(5, round(seconds / 5) * 5)} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def result(progress: Progress, *, hash: str, delivered: bool) -> TrialsResult:  # noqa: A002
    """What a program wants to know of all trials."""
    return TrialsResult(
        scenario=progress.scenario,
        run=progress.run,
        digest=progress.digest,
        trials=progress.trials,
        passed=progress.passed,
        failed=progress.failed,
        not_run=progress.trials - progress.tried,
        rate=progress.rate,
        interval=progress.interval,
        bar=progress.bar,
        above_bar=progress.above_bar,
        interval_above_bar=progress.shown_above_bar,
        stopped=progress.stopped,
        exit_code=exit_code(progress),
        hash=hash,
        delivered=delivered,
    )


def row(progress: Progress, plan: Plan, *, when: datetime) -> WriteUp:
    """The one row of all trials; each trial that was run has its own beside it."""
    date = when.astimezone(UTC)
    scenario = plan.scenario
    others = [trial_line(trial, progress.trials) for trial in progress.done if trial.entry.word != "PASS"]
    unbegun = progress.trials - len(progress.done)
    if unbegun:
        others.append(f"{GLYPHS['SKIP']} {unbegun} not begun: {progress.stopped}")
    entries = [trial.entry for trial in progress.done]
    tested = (
        f"{scenario.title} ({scenario.name}, risk {scenario.risk.value}), {progress.trials} trials",
        f"fault: {'; '.join(f'{a.fault.summary} {a.where}' for a in plan.actions) or 'none, an observation'}",
        f"date {date:%Y-%m-%d}, inventory {plan.inventory}, operator {plan.operator}",
        f"plan {progress.run}, digest {progress.digest}",
    )
    said = (sentence(progress), "the interval is Wilson's score interval", f"trials: {glyphs(progress)}")
    parts = [
        f"Chaos test results: {word(progress)}, {progress.trials} trials of {scenario.name}, {counted(progress)}, "
        f"{date:%Y-%m-%d %H:%M} UTC",
        _part("What was tested", tested),
        _part("Result", (*said, *recoveries(entries))),
        _part("Trials that did not pass", others),
        _part("Issues found", _told_once([entry.issues for entry in entries])),
        _part("Runbook updates needed", _told_once([entry.gaps for entry in entries])),
    ]
    return WriteUp(
        hash=f"CHAOS-TEST-RESULTS-{date:%Y%m%d%H%M}-{progress.run}",
        content="\n\n".join(parts),
        stage=STAGE,
        temperature=TEMPERATURE_GAME_DAY,
        sacred=True,
        inventory=plan.inventory,
    )


def recoveries(entries: Sequence[Entry]) -> tuple[str, ...]:
    """The times to recover in one line; empty where none was measured."""
    times = [entry.recovered_s for entry in entries if entry.recovered_s is not None]
    if not times:
        return ()
    return (
        f"time to recover, {len(times)} measured: {min(times):.2f} to {max(times):.2f} s, median {median(times):.2f} s",
    )


def _told_once(told: Sequence[tuple[str, ...]]) -> list[str]:
    """Each sentence once, with how many trials told it."""
    counts = Counter(text for texts in told for text in dict.fromkeys(texts))
    return [f"{text} ({count} trial{'s' * (count != 1)})" for text, count in counts.items()]


def _part(title: str, lines: Sequence[str]) -> str:
    told = section(title, lines or ("none",))
    return "\n".join((told.title, *(f"- {line}" for line in told.lines)))
