"""A run on standard output: one line an event for people, or JSON lines for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime

from console import events as ev
from console.record.result import encode_result, result
from console.state import RunState
from console.terms import Status

GLYPH = {Status.PASS: "✓", Status.FAIL: "✗", Status.UNKNOWN: "?", Status.PENDING: "○"}


class Printer:
    """Prints what it is told. A closed terminal or pipe never stops a run: from then on it prints nothing."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._gone = False
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
            self._write(ev.encode(event).decode())
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

    def _stamp(self, at_s: float) -> str:
        clock = datetime.fromtimestamp(at_s).astimezone().strftime("%H:%M:%S")
        return f"{clock} T+{at_s - self._started_s:5.1f}" if self._started_s is not None else f"{clock}        "

    def _write(self, line: str) -> None:
        if self._gone:
            return
        try:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        except OSError:
            self._gone = True


def describe(event: ev.AnyEvent) -> str:
    """The event in one line for people; empty where it is not worth one."""
    match event:
        case ev.RunStarted():
            return f"run {event.run}: {event.title} (risk {event.risk}), operator {event.operator}"
        case ev.PhaseEntered():
            return f"── {event.phase.value}"
        case ev.ItemChecked():
            how = " (attested)" if event.attested else ""
            return f"{_mark(event.status)} {event.id}{how}: {event.evidence}"
        case ev.ItemOverridden():
            return f"! {event.id} overridden by {event.by}: {event.reason}"
        case ev.ApprovalSeen():
            told = "accepted" if event.accepted else f"refused: {event.why}"
            return f"signature of {event.signer} ({event.role}, {event.vote}): {told}"
        case ev.ApprovalSettled():
            return f"{'✓' if event.sufficient else '○'} approval: {event.summary}"
        case ev.Armed():
            return f"● {event.node} armed, guard: {event.guard}, lease {event.lease_s:g} s"
        case ev.SteadyStateJudged():
            return f"{_mark(event.status)} {event.id} ({event.when}): {event.observed}"
        case ev.Injected():
            return f"● fault let go on {event.node}"
        case ev.EffectJudged():
            return f"{_mark(event.status)} effect on {event.node}: {event.evidence}"
        case ev.ExpectationJudged():
            when = "" if event.after_s is None else f" after {event.after_s:.1f} s"
            return f"{_mark(event.status)} {event.id}{when}: {event.observed}"
        case ev.RecoveryMeasured():
            parts = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in event.breakdown.items())
            return f"✓ recovered in {event.seconds:.2f} s ± {event.error_s:.2f}" + (f" ({parts})" if parts else "")
        case ev.Reverting():
            return f"● reverting {event.node} ({event.why}), at most {event.limit_s:g} s"
        case ev.Reverted():
            return f"{_mark(event.status)} reverted {event.node}: {event.evidence}"
        case ev.CleanJudged():
            return f"{_mark(event.status)} clean {event.node}: {event.evidence or 'no trace'}"
        case ev.RestoredByConsole():
            return f"{_mark(event.status)} {event.service} on {event.node} restored by the console: {event.evidence}"
        case ev.Released():
            return f"● {event.node} released"
        case _:
            return _describe_said(event)


def _describe_said(event: ev.AnyEvent) -> str:
    match event:
        case ev.LinkChanged():
            return f"● {event.node} reachable" if event.up else f"✗ {event.node} unreachable: {event.why}"
        case ev.Noted():
            return f"note by {event.by}: {event.text}"
        case ev.Found():
            return f"! {event.text}"
        case ev.AbortRequested():
            return f"✗ abort by {event.by}: {event.why}"
        case ev.Failed():
            return f"✗ {event.where}: {event.what}"
        case ev.Concluded():
            return f"── {event.outcome.value} {event.reason.value}".rstrip()
        case ev.Signed():
            return f"signed {event.verdict} by {event.by}" + (f": {event.note}" if event.note else "")
        case ev.DeliveryTried():
            return f"✓ delivered {event.hash}" if event.delivered else f"○ queued {event.hash}: {event.why}"
    return ""


def _mark(status: Status) -> str:
    return f"{GLYPH[status]} {status.value}"
