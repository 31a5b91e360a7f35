"""Signing a run whose console died after the verdict: its journal goes on where it broke off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from console import events as ev
from console.errors import Refused
from console.fleet import Fleet
from console.plan import plan as plans
from console.record import journal, runs
from console.record.outbox import Outbox
from console.record.writeup import Verdict, draft
from console.run.closing import Closing
from console.run.recorder import Recorder
from console.state import RunState, fold_all
from console.terms import Outcome, Phase


async def sign_late(
    folder: Path, fleet: Fleet, verdict: Verdict, *, by: str, note: str, clock: Callable[[], float]
) -> RunState:
    """Sign the run in that folder, store its write-up, and end its journal. Returns the state after that.

    Issues and runbook gaps are those that the machine drafts; the post-test checklist stays as it was left.

    Raises:
        Refused: its console still lives, there is nothing to sign, the run is another inventory's, or the machine's
            proposal is contradicted without a note.
        JournalError: its journal cannot be read or written.
    """
    runs.hold(folder)
    try:
        _refuse(fold_all(journal.read(folder / journal.FILE)[0]), fleet.inventory.name)
        recorder = Recorder(journal.Journal.reopen(folder), clock)
        try:
            events, complaint = journal.read(folder / journal.FILE)
            if complaint:
                raise Refused(f"the journal cannot be read whole, so nobody knows what would be signed: {complaint}")
            recorder.state = fold_all(events)
            drafted = draft(recorder.state)
            closing = Closing(plans.load(folder / runs.PLAN), fleet, recorder, Outbox(runs.outbox_home()))
            await closing.sign(verdict, by, note, drafted.issues, drafted.gaps)
            await recorder.emit(ev.PhaseEntered(at_s=recorder.now_s(), phase=Phase.DONE))
            await recorder.emit(ev.Ended(at_s=recorder.now_s()))
        finally:
            await recorder.close()
        if recorder.broken:
            raise journal.JournalError(recorder.broken)
        return recorder.state
    finally:
        runs.let_go(folder)


def _refuse(state: RunState, inventory: str) -> None:
    """That there is a verdict here that nobody signed."""
    if state.started is None or state.conclusion is None:
        raise Refused("the run broke off before it was judged: there is no verdict to sign; see `gameday sweep`")
    if state.signed is not None:
        raise Refused(f"the run is signed already: {state.signed.verdict} by {state.signed.by or 'the operator'}")
    if state.ended or state.conclusion.outcome is Outcome.NOT_RUN:
        raise Refused("nothing was broken: there is nothing to write up")
    if state.started.inventory != inventory:
        raise Refused(f"the run is of the inventory '{state.started.inventory}', not of '{inventory}'")
