"""A2 for real: the limit is reached and refused, it falls back, and the console's own connection lives on."""

from __future__ import annotations

from tests.approvals import approved
from tests.lab import Lab

A2 = "pg-connection-exhaustion"
ORDINARY_LIMIT = 57
"""max_connections = 60 less three reserved for superusers (facts: embedded lab)."""


def test_an_approved_flood_reaches_the_limit_and_falls_back(lab: Lab) -> None:
    done = lab.run(*approved(lab, A2, "--set", "hold_s=8"))
    assert done.code == 0, str(done)
    assert (done.result["effect_proven"], done.result["revert_proven"]) == (True, True)
    assert done.result["metrics"]["bluefin/connections:federation"]["max"] == ORDINARY_LIMIT
    evidence = " ".join(event["evidence"] for event in done.events if event["event"] == "effect")
    assert "remaining connection slots are reserved" in evidence
    assert done.result["metrics"]["bluefin/connections:federation"]["last"] < ORDINARY_LIMIT - 40
    assert done.result["thermal"]["delivered"] is True
    assert not [event for event in done.events if event["event"] == "link"]


def test_without_an_approval_nothing_is_run(lab: Lab) -> None:
    done = lab.run(A2)
    assert (done.code, done.result["outcome"], done.result["reason"]) == (3, "not-run", "approval"), str(done)
    assert not [event for event in done.events if event["event"] == "arming"]


def test_an_approval_of_another_plan_does_not_count(lab: Lab) -> None:
    _, *approvals = approved(lab, A2)
    plan, *_ = approved(lab, A2)
    done = lab.run(plan, *approvals)
    assert (done.code, done.result["reason"]) == (3, "approval"), str(done)
