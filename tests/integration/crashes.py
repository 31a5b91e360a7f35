"""Runs of postgres-crash on a lab: approved by the council, and what they said."""

from __future__ import annotations

from console.plan import library
from tests.approvals import approved
from tests.lab import Done, Lab

A7 = "postgres-crash"


def crashed(lab: Lab, scenario: str = A7) -> Done:
    """A run that the council has approved."""
    return lab.run(*approved(lab, scenario))


def impatient(lab: Lab) -> str:
    """The shipped scenario, whose limits are a sixth: what never comes back need not be waited for that long."""
    file = lab.root / "impatient-crash.yaml"
    text = library.find(A7, None).read_text()
    for limit in ("60", "75", "90"):
        text = text.replace(f"within_s: {limit}", f"within_s: {int(limit) / 6:g}")
    file.write_text("".join(line for line in text.splitlines(keepends=True) if not line.startswith("runbook:")))
    return str(file)


def evidence(done: Done, event: str) -> str:
    return " ".join(told.get("evidence", "") for told in done.events if told["event"] == event)


def sentence(done: Done) -> str:
    return str(next(told["sentence"] for told in done.events if told["event"] == "concluded"))


def observed(done: Done, expectation: str) -> str:
    return str(next(told["observed"] for told in done.result["expectations"] if told["id"] == expectation))
