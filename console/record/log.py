"""The log of game days: one PASS, FAIL or SKIP line a run (requirements, part A)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from console.record.home import state_home
from console.state import RunState, presumed_outcome
from console.terms import Outcome


def line(state: RunState) -> str:
    """`[YYYY-MM-DD HH:MM:SS] PASS: ...` with the time to recover, in local time."""
    outcome, reason = presumed_outcome(state)
    word = {Outcome.PASSED: "PASS", Outcome.NOT_RUN: "SKIP"}.get(outcome, "FAIL")
    name = state.started.scenario if state.started else "unknown"
    run = state.started.run if state.started else "unknown"
    stamp = datetime.fromtimestamp(state.now_s).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    recovered = f", recovered in {state.recovery.seconds:.2f} s" if state.recovery else ""
    why = state.conclusion.sentence if state.conclusion else reason.value
    return f"[{stamp}] {word}: {name} (run {run}){recovered}: {' '.join(why.split())}"


def append(state: RunState, file: Path | None) -> None:
    """Add the run's line to `file`, by default under the user's state folder.

    Raises:
        OSError: the file cannot be written.
    """
    file = file or state_home() / "gameday.log"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as out:
        out.write(line(state) + "\n")
