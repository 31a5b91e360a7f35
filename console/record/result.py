"""The result object of a run, as headless runs print it in their last line."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from console.record.alerts import AlertTimes, alert_times
from console.state import ItemState, RunState, presumed_outcome
from console.terms import Outcome, Reason, Status


class Recovery(msgspec.Struct, frozen=True):
    """How long the target was gone, in seconds."""

    seconds: float
    error_s: float
    breakdown: dict[str, float]


class Expected(msgspec.Struct, frozen=True):
    """What became of an expectation."""

    id: str
    outcome: Status
    observed: str
    attested: bool = False
    after_s: float | None = None
    """When it was met, in seconds after the injection, or the revert where it counts from that."""
    error_s: float | None = None


class Item(msgspec.Struct, frozen=True):
    """What became of a checklist item."""

    id: str
    outcome: Status
    attested: bool
    override: str
    evidence: str


class Checklist(msgspec.Struct, frozen=True):
    """Both checklists."""

    pre: tuple[Item, ...]
    post: tuple[Item, ...]


class Metric(msgspec.Struct, frozen=True):
    """A metric over the whole run."""

    min: float
    max: float
    last: float


class Thermal(msgspec.Struct, frozen=True):
    """Where the write-up is; an empty hash: there is none."""

    hash: str
    delivered: bool


class Result(msgspec.Struct, frozen=True):
    """Everything that a program wants to know of a run."""

    run: str
    scenario: str
    outcome: Outcome
    reason: Reason
    digest: str
    started: str
    """UTC, ISO 8601."""
    effect_proven: bool
    revert_proven: bool
    recovery: Recovery | None
    expectations: tuple[Expected, ...]
    alerts: tuple[AlertTimes, ...]
    """When each alert fired and cleared; null: it was not seen to."""
    checklist: Checklist
    metrics: dict[str, Metric]
    thermal: Thermal


def result(state: RunState) -> Result:
    """The result of a run, from its journal alone."""
    outcome, reason = presumed_outcome(state)
    started, measured = state.started, state.recovery
    return Result(
        run=started.run if started else "",
        scenario=started.scenario if started else "",
        outcome=outcome,
        reason=reason,
        digest=started.digest if started else "",
        started=datetime.fromtimestamp(started.at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if started else "",
        effect_proven=state.effect_proven,
        revert_proven=state.revert_proven,
        recovery=Recovery(measured.seconds, measured.error_s, measured.breakdown) if measured else None,
        expectations=tuple(
            Expected(item.brief.id, item.status, item.observed, item.attested, item.after_s, item.error_s)
            for item in state.expectations.values()
        ),
        alerts=alert_times(state),
        checklist=Checklist(_items(state.pre), _items(state.post)),
        metrics={
            name: Metric(min=min(values), max=max(values), last=values[-1])
            for name, points in state.metrics.items()
            if (values := [value for _, value in points])
        },
        thermal=Thermal(state.hash, bool(state.delivery and state.delivery.delivered)),
    )


def encode_result(told: Result) -> str:
    """The result as one JSON line, without its newline."""
    return msgspec.json.encode(told).decode()


def _items(items: dict[str, ItemState]) -> tuple[Item, ...]:
    return tuple(
        Item(item.brief.id, item.status, item.attested, item.override, item.evidence) for item in items.values()
    )
