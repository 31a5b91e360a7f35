"""A suite: which scenarios in which order, what came of each, and the one row that a game day leaves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec

from console.errors import GamedayError
from console.plan.scenario import Scenario
from console.record.sections import key_figure, section
from console.record.writeup import STAGE, WriteUp, draft
from console.state import RunState, presumed_outcome
from console.terms import EXIT_CODES, Category, Outcome

Word = Literal["PASS", "FAIL", "SKIP"]
GLYPHS: dict[Word, str] = {"PASS": "✓", "FAIL": "✗", "SKIP": "○"}
TEMPERATURE_GAME_DAY = 90.0

CALM_FIRST = (
    Category.OBSERVATION,
    Category.SERVICE,
    Category.RESOURCE,
    Category.NETWORK,
    Category.DATABASE,
    Category.NODE,
)
"""Within one risk: what leaves most standing comes first, and a reboot last."""
WORST_FIRST = (Outcome.UNSAFE, Outcome.ABORTED, Outcome.FAILED, Outcome.NOT_RUN, Outcome.PASSED, Outcome.HELD)
"""What a suite's exit code tells, where several things happened: a skipped test never hides a failed one."""


class Entry(msgspec.Struct, frozen=True):
    """One test of a suite, as it went."""

    scenario: str
    outcome: Outcome
    run: str = ""
    """Empty: no run was started."""
    figure: str = ""
    """The number to remember, like `recovered in 2.44 s ± 0.02`; empty: there is none."""
    recovered_s: float | None = None
    """The time to recover, in seconds; None: not measured."""
    why: str = ""
    """The machine's sentence, or why no run was started."""
    issues: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    """What the runbook lacks."""

    @property
    def word(self) -> Word:
        """PASS, FAIL, or SKIP for what was not run or not judged."""
        words: dict[Outcome, Word] = {Outcome.PASSED: "PASS", Outcome.NOT_RUN: "SKIP", Outcome.HELD: "SKIP"}
        return words.get(self.outcome, "FAIL")


class SuiteResult(msgspec.Struct, frozen=True):
    """The last JSON line of a suite: what came of it, and where its row is (an empty hash: there is none)."""

    suite: str
    date: str
    """UTC, ISO 8601."""
    tests: tuple[Entry, ...]
    passed: int
    failed: int
    skipped: int
    exit_code: int
    hash: str
    delivered: bool


def calm_first(scenario: Scenario) -> tuple[int, int, str]:
    """To sort a suite by: low risk first, and within a risk what leaves most standing; a reboot comes last."""
    return scenario.risk.rank, CALM_FIRST.index(scenario.category), scenario.name


def entry(state: RunState) -> Entry:
    """How the run of one test went."""
    outcome, reason = presumed_outcome(state)
    proposed = draft(state)
    ran = outcome is not Outcome.NOT_RUN
    sentence = state.conclusion.sentence if state.conclusion else reason.value
    issues = proposed.issues or (() if outcome is Outcome.PASSED else (sentence,))
    return Entry(
        scenario=state.started.scenario if state.started else "unknown",
        outcome=outcome,
        run=state.started.run if state.started else "",
        figure=key_figure(state),
        recovered_s=state.recovery.seconds if state.recovery else None,
        why=" ".join(sentence.split()),
        issues=issues if ran else (),
        gaps=proposed.gaps,
    )


def skipped(scenario: str, why: str) -> Entry:
    """A test of which no run was started."""
    return Entry(scenario, Outcome.NOT_RUN, why=" ".join(why.split()))


def broken(state: RunState, error: Exception) -> Entry:
    """A run that its own console could not go on with; its guards take back what it left."""
    why = f"the run broke down: {error}" if isinstance(error, GamedayError) else f"the run broke down: {error!r}"
    return msgspec.structs.replace(entry(state), outcome=Outcome.ABORTED, why=why)


def stops(outcome: Outcome) -> bool:
    """Whether nothing more is broken after a run that ended so."""
    return outcome in (Outcome.UNSAFE, Outcome.ABORTED)


def exit_code(outcomes: Iterable[Outcome]) -> int:
    """The code of the worst outcome: unsafe 5, aborted 4, failed 1, not run 3, passed 0; nothing at all is aborted.

    >>> exit_code([Outcome.PASSED, Outcome.NOT_RUN, Outcome.FAILED]), exit_code([Outcome.NOT_RUN, Outcome.PASSED])
    (1, 3)
    """
    found = set(outcomes)
    return EXIT_CODES[next((outcome for outcome in WORST_FIRST if outcome in found), Outcome.ABORTED)]


def tested(entries: Iterable[Entry]) -> bool:
    """Whether anything was tried at all: only then a game day leaves a row."""
    return any(item.outcome is not Outcome.NOT_RUN for item in entries)


def game_day(
    suite: str, entries: Sequence[Entry], *, inventory: str, operator: str, when: datetime, suffix: str
) -> WriteUp:
    """The row of a whole game day. `suffix` tells two that ended within one minute apart."""
    date = when.astimezone(UTC)
    tests = [f"{GLYPHS[item.word]} {item.word} {item.scenario}{_run(item)}: {_told(item)}" for item in entries]
    issues = [f"{item.scenario}: {issue}" for item in entries for issue in item.issues]
    gaps = [f"{item.scenario}: {gap}" for item in entries for gap in item.gaps]
    parts = [
        f"Chaos test results: {counts(entries)}, suite {suite}, {date:%Y-%m-%d %H:%M} UTC",
        _part("Game day", [f"date {date:%Y-%m-%d}, suite {suite}, inventory {inventory}, operator {operator}"]),
        _part("Tests run", tests),
        _part("Issues found", issues),
        _part("Runbook updates needed", gaps),
    ]
    return WriteUp(
        hash=f"CHAOS-TEST-RESULTS-{date:%Y%m%d%H%M}-{suffix}",
        content="\n\n".join(parts),
        stage=STAGE,
        temperature=TEMPERATURE_GAME_DAY,
        sacred=True,
        inventory=inventory,
    )


def counts(entries: Iterable[Entry]) -> str:
    """Like `2 passed, 1 failed, 1 skipped`."""
    words = [item.word for item in entries]
    return f"{words.count('PASS')} passed, {words.count('FAIL')} failed, {words.count('SKIP')} skipped"


def rows(entries: Iterable[Entry]) -> list[tuple[str, str, str, str]]:
    """For a table on the terminal: test, result, run, what there is to know."""
    return [(item.scenario, f"{GLYPHS[item.word]} {item.word}", item.run or "-", _told(item)) for item in entries]


def result(suite: str, entries: Sequence[Entry], *, when: datetime, hash: str, delivered: bool) -> SuiteResult:  # noqa: A002
    """What a program wants to know of a suite."""
    words = [item.word for item in entries]
    return SuiteResult(
        suite=suite,
        date=when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        tests=tuple(entries),
        passed=words.count("PASS"),
        failed=words.count("FAIL"),
        skipped=words.count("SKIP"),
        exit_code=exit_code(item.outcome for item in entries),
        hash=hash,
        delivered=delivered,
    )


def _told(item: Entry) -> str:
    """The figure of what passed; of everything else first the reason."""
    if item.word == "PASS":
        return item.figure or item.why
    return "; ".join(text for text in (item.why, item.figure) if text)


def _run(item: Entry) -> str:
    return f" (run {item.run})" if item.run else ""


def _part(title: str, lines: Sequence[str]) -> str:
    told = section(title, lines or ("none",))
    return "\n".join((told.title, *(f"- {line}" for line in told.lines)))
