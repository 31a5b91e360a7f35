"""The log of game days: one PASS, FAIL or SKIP line a test; HELD: its node has it (requirements, part A)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from console.record.home import state_home
from console.record.sections import key_figure
from console.state import RunState, presumed_outcome
from console.terms import Outcome


def line(state: RunState) -> str:
    """`[YYYY-MM-DD HH:MM:SS] PASS: ...` with the time to recover, in local time."""
    outcome, reason = presumed_outcome(state)
    word = {Outcome.PASSED: "PASS", Outcome.NOT_RUN: "SKIP", Outcome.HELD: "HELD"}.get(outcome, "FAIL")
    name = state.started.scenario if state.started else "unknown"
    run = state.started.run if state.started else "unknown"
    figure = key_figure(state)
    why = state.conclusion.sentence if state.conclusion else reason.value
    return _stamped(state.now_s, f"{word}: {name} (run {run}){f', {figure}' if figure else ''}: {why}")


def skip_line(scenario: str, why: str, at_s: float) -> str:
    """The line of a test of which no run was started. `at_s` is the console's clock."""
    return _stamped(at_s, f"SKIP: {scenario}: {why}")


def whole_line(word: str, name: str, told: str, at_s: float) -> str:
    """The line of several runs together; `word` is PASS, FAIL or SKIP. `at_s` is the console's clock."""
    return _stamped(at_s, f"{word}: {name}: {told}")


def append(text: str, file: Path | None) -> None:
    """Add the line to `file`, by default under the user's state folder.

    Raises:
        OSError: the file cannot be written.
    """
    file = file or state_home() / "gameday.log"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as out:
        out.write(text + "\n")


def _stamped(at_s: float, text: str) -> str:
    stamp = datetime.fromtimestamp(at_s).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return f"[{stamp}] {' '.join(text.split())}"
