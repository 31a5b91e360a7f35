"""The machine's proposal: outcome, reason and one sentence, from the state alone. Unknown never counts as pass."""

from __future__ import annotations

from datetime import datetime

from console.events import Concluded
from console.state import RunState
from console.terms import Outcome, Reason, Status

Proposal = tuple[Outcome, Reason, str]

STOPPED: dict[str, Reason] = {
    "operator": Reason.OPERATOR,
    "lease": Reason.LEASE_LOST,
    "interrupted": Reason.INTERRUPTED,
    "error": Reason.ERROR,
}
"""Who may ask for an abort, as written in AbortRequested.by before a colon, and the reason that it gives."""


FIX = "fix: gameday sweep --revert"
"""What frees a node that stayed locked."""


def conclude(state: RunState, at_s: float, not_run: tuple[Reason, str] | None = None) -> Concluded:
    """The conclusion that this state calls for; `not_run` says why nothing was injected, where that is so."""
    outcome, reason, sentence = propose(state, not_run)
    return Concluded(at_s=at_s, outcome=outcome, reason=reason, sentence=sentence)


def propose(state: RunState, not_run: tuple[Reason, str] | None = None) -> Proposal:
    """Outcome, reason and sentence. What is unsafe outweighs an abort, that outweighs a failure."""
    return (
        _unsafe(state)
        or _held(state)
        or _stopped(state)
        or (not_run and (Outcome.NOT_RUN, *not_run))
        or _fault(state)
        or _judged(state)
        or (Outcome.PASSED, Reason.NONE, _passed(state))
    )


def _unsafe(state: RunState) -> Proposal | None:
    for name, node in sorted(state.nodes.items()):
        if node.arming_at_s is None or node.clean is Status.PASS or node.detached_until_s is not None:
            continue
        if node.clean is Status.FAIL or node.reverted is Status.FAIL:
            why = node.clean_evidence or node.reverted_evidence
            return Outcome.UNSAFE, Reason.REVERT_NOT_PROVEN, f"{name}: the fault is not proven gone: {why} ({FIX})"
        why = node.clean_evidence or node.reverted_evidence or "it could not be asked"
        return Outcome.UNSAFE, Reason.CLEAN_UNKNOWN, f"{name}: nobody knows whether it is clean: {why} ({FIX})"
    return None


def _stopped(state: RunState) -> Proposal | None:
    if state.abort is None:
        return None
    reason = STOPPED.get(state.abort.by.partition(":")[0], Reason.OPERATOR)
    return Outcome.ABORTED, reason, f"aborted: {state.abort.why}"


def _fault(state: RunState) -> Proposal | None:
    started = state.started
    for name in started.targets if started else ():
        node = state.nodes[name]
        if node.effect is not Status.PASS:
            return (
                Outcome.FAILED,
                Reason.FAULT_NOT_PROVEN,
                f"{name}: the fault never showed: {node.effect_evidence or 'no proof'}",
            )
        if not started or not started.fault_lasts_s:
            continue
        later = [effect for effect in state.effects if effect.node == name and effect.status is not Status.PENDING]
        proven = next(i for i, effect in enumerate(later) if effect.status is Status.PASS)
        ended = next((effect for effect in later[proven:] if effect.status is Status.FAIL), None)
        if ended:
            return (
                Outcome.FAILED,
                Reason.FAULT_ENDED_EARLY,
                f"{name}: the fault ended before it was taken back: {ended.evidence}",
            )
        if later[-1].status is Status.UNKNOWN:
            return (
                Outcome.FAILED,
                Reason.INCONCLUSIVE,
                f"{name}: the fault could not be proven to the end: {later[-1].evidence}",
            )
    return None


def _held(state: RunState) -> Proposal | None:
    for name, node in sorted(state.nodes.items()):
        if node.detached_until_s is not None:
            clock = datetime.fromtimestamp(node.detached_until_s).astimezone().strftime("%H:%M:%S")
            by_itself = f"{name} holds the fault by itself until {clock}, then takes it back and proves itself clean"
            return Outcome.HELD, Reason.NONE, f"{by_itself}; nothing was judged"
    return None


def _judged(state: RunState) -> Proposal | None:
    lost = state.post.get("no-data-loss")
    if lost and lost.status is Status.FAIL:
        return Outcome.FAILED, Reason.DATA_LOSS, f"data was lost: {lost.evidence}"
    gone = next((item for item in state.expectations.values() if item.data_lost), None)
    if gone:
        return Outcome.FAILED, Reason.DATA_LOSS, f"data was lost: {gone.observed}"
    verdicts = [
        (item.brief.title, item.status, item.observed) for item in state.expectations.values() if item.brief.required
    ]
    verdicts += [(_title(state, judged.id), judged.status, judged.observed) for judged in state.recovered.values()]
    verdicts += [
        (item.brief.title, item.status, item.evidence)
        for item in state.post.values()
        if item.brief.automatic and item.brief.required and item.status is not Status.PENDING
    ]
    for title, status, seen in verdicts:
        if status is Status.FAIL:
            return Outcome.FAILED, Reason.EXPECTATION, f"{title}: {seen}"
    for title, status, seen in verdicts:
        if status is not Status.PASS:
            return Outcome.FAILED, Reason.INCONCLUSIVE, f"{title}: unknown: {seen or 'never judged'}"
    briefs = state.started.steady_state if state.started else ()
    missing = next((brief for brief in briefs if brief.id not in state.recovered), None)
    if missing:
        return Outcome.FAILED, Reason.INCONCLUSIVE, f"{missing.title}: never judged after the fault"
    return None


def _title(state: RunState, probe_id: str) -> str:
    briefs = state.started.steady_state if state.started else ()
    return next((brief.title for brief in briefs if brief.id == probe_id), probe_id)


def _passed(state: RunState) -> str:
    if state.recovery:
        helped = any(boot.power_on for boot in state.boots.values())
        how = "switched on again, and recovered" if helped else "recovered by itself"
        return f"{how} in {state.recovery.seconds:.2f} s ± {state.recovery.error_s:.2f}"
    if state.started and not state.started.targets:
        return "every expectation was met; nothing was broken, this only observed"
    return "every expectation was met and the fault is proven gone"
