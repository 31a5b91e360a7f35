"""The run in words: the headline for the room, what comes next, and a line for every event of the log."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from console import events as ev
from console.state import ExpectationState, RunState, presumed_outcome
from console.terms import Outcome, Phase, Reason, Status
from console.tui.words import BAD, GOOD, QUIET, WARN, seconds, whole_seconds

ACTING: Final = (Phase.INJECT, Phase.PROVE_EFFECT, Phase.OBSERVE)
TAKING_BACK: Final = (Phase.REVERT, Phase.PROVE_REVERTED)


class Headline(msgspec.Struct, frozen=True):
    """What the room reads. Times are whole seconds, so that it is calm."""

    phase: str
    time: str
    """`T+12 s`, or empty before the injection."""
    next: str
    """What is expected next and its limit, like `health by T+30 s: 12 s`."""
    tone: str = ""


def headline(state: RunState, now_s: float) -> Headline:
    """The one big line about a run at that instant of the console's clock."""
    zero_s = state.injected_at_s
    time = f"T+{max(0, int(now_s - zero_s))} s" if zero_s is not None else ""
    if state.conclusion or state.ended:
        return _concluded(state)
    if state.abort and not _taken_back(state):
        return Headline("aborting", time, _reverting(state, now_s), BAD)
    tone = WARN if state.phase in (*ACTING, *TAKING_BACK) else ""
    return Headline(state.phase.value, time, _next(state, now_s), tone)


_WHY: Final = {Reason.OPERATOR: "by the operator"}


def _concluded(state: RunState) -> Headline:
    outcome, reason = presumed_outcome(state)
    glyph, tone = {Outcome.PASSED: ("✓", GOOD), Outcome.NOT_RUN: ("", QUIET), Outcome.ABORTED: ("!", WARN)}.get(
        outcome, ("✗", BAD)
    )
    recovered = (
        f"recovered in {state.recovery.seconds:.1f} s" if state.recovery and outcome is not Outcome.NOT_RUN else ""
    )
    found = [e.status for e in state.expectations.values()]
    counted = {Reason.EXPECTATION: (Status.FAIL, "missed"), Reason.NONE: (Status.PASS, "met")}.get(reason)
    why = recovered or _WHY.get(reason, reason.value.replace("-", " "))
    if outcome is Outcome.ABORTED and state.injected_at_s is not None and _taken_back(state):
        why = "fault proven gone"  # before all else: who or what aborted stands in the log
    if counted and counted[0] in found and not (recovered and outcome is Outcome.PASSED):
        why = f"{found.count(counted[0])} of {len(found)} {counted[1]}"
    return Headline(f"{glyph} {outcome.value}".strip(), "", why, tone)


def _taken_back(state: RunState) -> bool:
    armed = [node for node in state.nodes.values() if node.arming_at_s is not None]
    return all(node.clean is Status.PASS for node in armed)


def _reverting(state: RunState, now_s: float) -> str:
    for name, node in state.nodes.items():
        if node.reverting_at_s is not None and node.clean is not Status.PASS:
            gone_s, limit = now_s - node.reverting_at_s, f"{node.revert_limit_s:g} s"
            return f"reverting {name}: {whole_seconds(gone_s)} of {limit}"
    asked_s = state.abort.at_s if state.abort else now_s
    return f"revert asked for: {whole_seconds(now_s - asked_s)}"


def _next(state: RunState, now_s: float) -> str:
    match state.phase:
        case Phase.CHECKLIST:
            settled = len(state.pre) - len(state.blockers(now_s))
            return f"{settled} of {len(state.pre)} items"
        case Phase.APPROVAL:
            return state.approval.summary if state.approval else "waiting for signatures"
        case Phase.CONFIRM:
            return "operator confirms"
        case Phase.ARM:
            held = sum(node.armed_at_s is not None for node in state.nodes.values())
            return f"{held} of {len(state.nodes)} guards hold"
        case Phase.BASELINE:
            total = len(state.started.steady_state) if state.started else 0
            return f"{len(state.baseline)} of {total} steady"
        case Phase.REVERT | Phase.PROVE_REVERTED:
            return _reverting(state, now_s)
        case Phase.POST_TEST:
            return "post-test checklist"
        case Phase.WRITE_UP:
            return "operator signs"
        case Phase.DONE:
            return ""
    return _under_way(state) or awaited(state, now_s)


def _under_way(state: RunState) -> str:
    """What an inject that takes its time is at, like a backup before a crash; empty: none tells."""
    if state.phase is not Phase.PROVE_EFFECT:
        return ""
    told = (node.effect_evidence for node in state.nodes.values() if node.effect is Status.PENDING)
    return next((words.removeprefix("in progress: ") for words in told if words), "")


def awaited(state: RunState, now_s: float) -> str:
    """The expectation that is due first, its limit and what is left of it; else for how long the fault is held."""
    due = next_due(state, now_s)
    if due:
        expectation, limit_s, start = due
        name = expectation.brief.id.replace("-", " ")
        left_s = limit_s - now_s
        left = whole_seconds(left_s) if left_s > 0 else "judging"
        return f"{name} by {start}+{expectation.brief.within_s:g} s: {left}"
    pending = [e for e in state.expectations.values() if e.status is Status.PENDING]
    if state.started and state.injected_at_s is not None and state.phase in ACTING and state.started.fault_lasts_s:
        left_s = state.injected_at_s + state.started.fault_lasts_s - now_s
        return f"revert in {whole_seconds(left_s)}"
    missed = [e for e in state.expectations.values() if e.status is Status.FAIL]
    if missed:
        return f"{len(missed)} of {len(state.expectations)} missed"
    return "all met" if state.expectations and not pending else "watching"


def next_due(state: RunState, now_s: float) -> tuple[ExpectationState, float, str] | None:
    """The pending expectation that is due first, its limit on the console's clock, and T or R, which it counts from."""
    dues = []
    for expectation in state.expectations.values():
        start_s, letter = (
            (state.injected_at_s, "T") if expectation.brief.after == "inject" else (state.reverted_at_s, "R")
        )
        if expectation.status is Status.PENDING and start_s is not None:
            dues.append((start_s + expectation.brief.within_s, expectation, letter))
    # What is being judged, or must hold throughout, is past its limit: what is still to come says more.
    due = min(dues, key=lambda item: (item[0] < now_s, item[0]), default=None)
    return (due[1], due[0], due[2]) if due else None


_TOLD = {
    Status.PENDING: ("○", QUIET), Status.PASS: ("✓", GOOD), Status.FAIL: ("✗", BAD), Status.UNKNOWN: ("?", WARN),
}  # fmt: skip


def without_repeats(log: Sequence[ev.AnyEvent]) -> list[ev.AnyEvent]:
    """The log without the proofs that only say again what was proven before: a held fault is proven every 5 s."""
    told: dict[str, tuple[Status, str]] = {}  # without its numbers: a count that goes on is no news
    kept: list[ev.AnyEvent] = []
    for event in log:
        if isinstance(event, ev.EffectJudged):
            proof = (event.status, re.sub(r"\d+", "", event.evidence))
            if told.get(event.node) == proof:
                continue
            told[event.node] = proof
        kept.append(event)
    return kept


def describe(event: ev.AnyEvent) -> tuple[str, str, str]:
    """An event of the log as (glyph, words, style)."""
    match event:
        case ev.RunStarted():
            return "▶", f"run {event.run} by {event.operator}: {event.fault or 'an observation'}", ""
        case ev.PhaseEntered():
            return "▌", event.phase.value, "bold"
        case ev.ItemOverridden():
            return "!", f"{event.id} overridden by {event.by}: {event.reason}", WARN
        case ev.ApprovalSeen():
            words = f"{event.signer} ({event.role}) votes {event.vote}" + (
                "" if event.accepted else f", refused: {event.why}"
            )
            return ("✓", words, GOOD) if event.accepted else ("✗", words, BAD)
        case ev.ApprovalSettled():
            return ("✓" if event.sufficient else "○"), f"approval: {event.summary}", GOOD if event.sufficient else QUIET
        case ev.Arming() | ev.Armed() | ev.Injecting() | ev.Injected() | ev.Reverting() | ev.Released():
            return _describe_guard(event)
        case ev.Detached():
            return "◷", f"{event.node} holds the fault by itself from here on", "bold"
        case ev.RecoveryMeasured():
            return "◷", f"recovered in {event.seconds:.2f} s ± {event.error_s:.2f}", f"{GOOD} bold"
        case ev.NodeBooted():
            marks = ", ".join(f"{name} {at_s:.2f}" for name, at_s in event.marks.items())
            missing = f"; not active: {', '.join(event.missing)}" if event.missing else ""
            return "↻", f"{event.node} booted, s after userspace: {marks}{missing}", WARN if missing else "bold"
        case ev.LinkChanged():
            why = f": {event.why}" if event.why else ""
            words = f"{event.node} is {'reachable again' if event.up else 'not seen'}{why}"
            return ("●", words, GOOD) if event.up else ("?", words, WARN)
        case ev.Noted():
            return "✎", f"{event.text}  ({event.by})", "bold"
        case ev.Found():
            return "!", event.text, WARN
        case ev.Failed():
            return "✗", f"{event.where}: {event.what}", BAD
        case ev.AbortRequested():
            return "!", f"abort by {event.by}: {event.why}", f"{BAD} bold"
        case ev.Concluded():
            good = event.outcome is Outcome.PASSED
            said = event.sentence.removeprefix(f"{event.outcome.value}: ")
            return ("✓" if good else "✗"), f"{event.outcome.value}: {said}", f"{GOOD if good else BAD} bold"
        case ev.Signed():
            words = f"signed {event.verdict} by {event.by}{f': {event.note}' if event.note else ''}"
            return "✎", words, "bold"
        case ev.WrittenUp():
            return "✓", f"in the outbox: {event.hash}", QUIET
        case ev.DeliveryTried():
            told = ("✓", f"delivered: {event.hash}", GOOD), ("○", f"queued: {event.why}", WARN)
            return told[0] if event.delivered else told[1]
        case ev.Confirmed():
            return "✓", f"confirmed by {event.by}", ""
        case ev.Ended():
            return "■", "end of the run", QUIET
        case ev.Sampled():
            return "·", f"{event.node} sampled", QUIET
    return _describe_judgement(event)


def _describe_guard(
    event: ev.Arming | ev.Armed | ev.Injecting | ev.Injected | ev.Reverting | ev.Released,
) -> tuple[str, str, str]:
    match event:
        case ev.Arming():
            return "○", f"arming {event.node}", QUIET
        case ev.Armed():
            return "●", f"{event.node} armed, guard: {event.guard}, lease {event.lease_s:g} s", ""
        case ev.Injecting():
            return "○", f"injecting on {event.node}", QUIET
        case ev.Injected():
            return "◆", f"fault let go on {event.node}", f"{WARN} bold"
        case ev.Reverting():
            return "◂", f"reverting {event.node}, at most {event.limit_s:g} s: {event.why}", WARN
    return "●", f"{event.node} released", ""


def _describe_judgement(
    event: ev.ItemChecked
    | ev.SteadyStateJudged
    | ev.EffectJudged
    | ev.ExpectationJudged
    | ev.Reverted
    | ev.CleanJudged
    | ev.RestoredByConsole,
) -> tuple[str, str, str]:
    glyph, style = _TOLD[event.status]
    match event:
        case ev.ItemChecked():
            who = f" (attested by {event.by})" if event.attested else ""
            words = f"{event.id}: {event.evidence}{who}"
        case ev.SteadyStateJudged():
            words = f"{event.id} at {event.when}: {event.observed}"
        case ev.EffectJudged():
            words = f"effect on {event.node}: {event.evidence}"
        case ev.ExpectationJudged():
            after = f" after {seconds(event.after_s)}" if event.after_s is not None else ""
            who = f" (attested by {event.by})" if event.attested else ""
            words = f"{event.id}{after}: {event.observed}{who}"
        case ev.Reverted():
            words = f"{event.node} reverted: {event.evidence}"
        case ev.CleanJudged():
            words = f"{event.node} clean: {event.evidence}"
        case ev.RestoredByConsole():
            words = f"{event.service} on {event.node} restored by the console: {event.evidence}"
    return glyph, words.rstrip(": "), style
