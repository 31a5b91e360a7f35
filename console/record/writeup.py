"""The write-up: what the machine proposes, and the one row that goes to thermal memory."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Literal

import msgspec

from console.record import sections
from console.record.sections import MARKS
from console.state import RunState, presumed_outcome
from console.terms import Outcome, Status

Verdict = Literal["PASS", "FAIL"]
STAGE = "FRESH"
TEMPERATURE_ONE_TEST = 85.0
LOGGED = "logged"
"""The post-test item that the delivery itself sets: the row is its proof and cannot tell it."""
HASH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
"""A hash becomes a file name in the outbox."""


class WriteUp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row for thermal memory, column by column."""

    hash: str
    content: str
    stage: str
    temperature: float
    sacred: bool
    inventory: str = ""
    """Whose thermal memory it is for; no column. It is never delivered anywhere else."""

    def is_for(self, inventory: str) -> bool:
        """Whether it may be delivered to the thermal memory of the inventory of that name."""
        return self.inventory in ("", inventory)


class Draft(msgspec.Struct, frozen=True):
    """What the operator is asked to sign."""

    verdict: Verdict
    evidence: tuple[str, ...]
    issues: tuple[str, ...]
    gaps: tuple[str, ...]
    """What the runbook lacks: the notes that speak of a runbook."""


def draft(state: RunState) -> Draft:
    """The machine's proposal: the verdict with its evidence, and issues and runbook gaps to begin from."""
    outcome, _ = presumed_outcome(state)
    judged = (*sections.result(state).lines[:1], *sections.recovery(state))
    issues = [item.text for item in state.findings]
    issues += [f"{item.where}: {item.what}" for item in state.errors]
    issues += [
        f"{MARKS[item.status]}: {item.brief.title}: {item.observed or 'never judged'}"
        for item in state.expectations.values()
        if item.status is Status.FAIL or (item.status is not Status.PASS and state.injected_at_s is not None)
    ]
    issues += [f"{item.service} on {item.node} did not come back by itself" for item in state.restored]
    gaps = [item.text for item in state.notes if "runbook" in item.text.lower()]
    issues += [item.text for item in state.notes if item.text not in gaps]
    return Draft(
        verdict="PASS" if outcome is Outcome.PASSED else "FAIL",
        evidence=(*judged, *sections.expectations(state).lines, *sections.safety(state).lines),
        issues=tuple(issues),
        gaps=tuple(gaps),
    )


def one_test(
    state: RunState, *, verdict: Verdict, issues: tuple[str, ...], gaps: tuple[str, ...], when: datetime
) -> WriteUp:
    """The row for one test. Who signed comes from the state; to preview, fold a `Signed` first."""
    name = state.started.scenario if state.started else "unknown"
    run = state.started.run if state.started else "unknown"
    stamp = when.astimezone(UTC).strftime("%Y%m%d%H%M")
    told = (
        sections.tested(state),
        sections.result(state),
        sections.expectations(state),
        sections.alerts(state),
        sections.boots(state),
        sections.steady_state(state),
        sections.safety(state),
        sections.checklist(state, without=LOGGED),
        sections.findings(state),
        sections.section("Issues found", issues or ("none",)),
        sections.section("Runbook updates needed", gaps or ("none",)),
    )
    parts = [f"Chaos test {verdict}: {name}, {when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"]
    parts += ["\n".join((part.title, *(f"- {line}" for line in part.lines))) for part in told if part.lines]
    return WriteUp(
        hash=f"CHAOS-TEST-{name.upper()}-{stamp}-{run}",
        content="\n\n".join(parts),
        stage=STAGE,
        temperature=TEMPERATURE_ONE_TEST,
        sacred=False,
        inventory=state.started.inventory if state.started else "",
    )
