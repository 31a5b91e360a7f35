"""Past runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from console import events as ev
from console.terms import Outcome, Reason


@dataclass(frozen=True)
class FakeSummary:
    run: str
    scenario: str
    started_s: float
    outcome: Outcome
    reason: Reason = Reason.NONE
    operator: str = "ada"
    verdict: str = "PASS"
    delivered: bool = True


@dataclass(frozen=True)
class FakeRecording:
    events: Sequence[ev.AnyEvent]
    complaint: str = ""
