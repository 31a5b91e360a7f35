"""A run that nobody sits in front of: its checklist is answered beforehand, and the machine's proposal is signed."""

from __future__ import annotations

import msgspec

from console.handle import RunHandle
from console.state import RunState
from console.terms import Phase, Status


class Answers(msgspec.Struct, frozen=True):
    """What the operator said beforehand, in place of the keys of the console."""

    attest: frozenset[str]
    """Manual items, and expectations that could not be seen; `all`: every item."""
    overrides: dict[str, str]
    words: str = "attested on the command line"
    """The note that is stored with each of them."""
    override_open: str = ""
    """Why every item that is still open is gone without, low risk only; empty: none is."""

    def attests(self, item: str) -> bool:
        """Whether a manual item is ticked."""
        return item in self.attest or "all" in self.attest


BY_HAND = Answers(frozenset(), {}, override_open="a fault mode by hand, on what is for development and test")
"""For what an operator does on the spot, from the command line or the console."""


def as_before(state: RunState) -> Answers:
    """What the operator said of the first of several trials, for those that follow without a question."""
    run = state.started.run if state.started else "unknown"
    return Answers(
        frozenset(name for name, item in state.pre.items() if item.attested and item.status is Status.PASS),
        {name: item.override for name, item in state.pre.items() if item.override},
        f"as the operator said of the first trial, run {run}",
    )


async def drive(handle: RunHandle, answers: Answers) -> RunState:
    """One run from its checklist to its last event; the machine's proposal is signed.

    Raises:
        Exception: what the run broke down with.
    """
    await answer(handle, answers)
    if not handle.state.abort:
        blockers = await handle.try_launch()
        if blockers:
            told = "; ".join(f"{blocker.what} (fix: {blocker.fix})" for blocker in blockers)
            used_up = "; this plan is used up: make and sign a new one" if handle.plan.policy.quorum else ""
            await handle.runner.give_up(blockers[0].reason, told + used_up)
    return await finish(handle, answers)


async def answer(handle: RunHandle, answers: Answers) -> None:
    """Settle the checklist, once what is automatic of it was verified, by what was said beforehand."""
    await handle.ready()
    for item in list(handle.state.pre.values()):
        if not item.brief.automatic and answers.attests(item.brief.id):
            await handle.tick(item.brief.id, answers.words, Status.PASS)
    still_open = handle.state.blockers(handle.state.now_s) if answers.override_open else []
    reasons = {**{item.brief.id: answers.override_open for item in still_open}, **answers.overrides}
    for name, reason in reasons.items():
        await handle.override(name, reason)


async def finish(handle: RunHandle, answers: Answers) -> RunState:
    """A run that was launched, or left, to its last event; the machine's proposal is signed.

    Raises:
        Exception: what the run broke down with.
    """
    await handle.concluded()
    await _sign(handle, answers)
    return await handle.wait()


async def _sign(handle: RunHandle, answers: Answers) -> None:
    """Sign what the machine proposes: nobody is there to contradict it."""
    conclusion = handle.state.conclusion
    if conclusion is None or handle.state.phase is not Phase.WRITE_UP:
        return
    for item in list(handle.state.post.values()):
        if not item.brief.automatic and answers.attests(item.brief.id):
            await handle.tick(item.brief.id, answers.words, Status.PASS)
    for expectation in list(handle.state.expectations.values()):
        # By its name only: what was expected to happen is no routine that `all` ticks.
        if expectation.open_to_a_person and expectation.brief.id in answers.attest:
            await handle.attest(expectation.brief.id, answers.words)
    drafted = handle.writeup_draft()
    await handle.sign(drafted.verdict, "", drafted.issues, drafted.gaps)
