"""What a guard has to say: proofs, the injection's result, and why a node could not be taken."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from console.errors import GamedayError
from console.terms import Status

GuardKind = Literal["systemd", "shell"]
"""What stands behind a guard."""


class Proof(msgspec.Struct, frozen=True):
    """What a node itself says about a fault; unknown where it could not be asked or had no clear answer."""

    status: Status
    evidence: str

    @property
    def struck_ago_s(self) -> float | None:
        """How long ago a blow fell, in seconds, where the proof of its effect tells that (see faults/base.py).

        >>> Proof(Status.PASS, "9 are gone\\nstruck: 0.34 s ago").struck_ago_s
        0.34
        """
        found = re.search(r"^struck: ([\d.]+) s ago$", self.evidence, re.MULTILINE)
        return float(found[1]) if found else None

    @property
    def step(self) -> str:
        """What inject is at while it is under way, without its counts; empty: it is not, or does not tell.

        >>> Proof(Status.UNKNOWN, "in progress: 12 opened").step
        ' opened'
        """
        head, told, step = self.evidence.partition("in progress: ")
        under_way = self.status is Status.UNKNOWN and told and not head
        return re.sub(r"\d+", "", step) if under_way else ""


class InjectResult(msgspec.Struct, frozen=True):
    """How `inject` ended. `exit_status` is None if that got lost with the node's link."""

    exit_status: int | None
    output: str


class NotArmed(GamedayError):
    """The node's guard could not be set up; nothing was made on the node."""


class Busy(GamedayError):
    """Another run holds the node."""

    def __init__(self, node: str, run: str, operator: str, lease_left_s: float) -> None:
        lapsed = f"its lease lapsed {-lease_left_s:.0f} s ago, `gameday sweep` tells more"
        lease = f"lease {lease_left_s:.0f} s" if lease_left_s > 0 else lapsed
        super().__init__(f"{node} is held by run {run or '?'}, operator {operator or '?'}, {lease}")
        self.run = run
        self.operator = operator
        self.lease_left_s = lease_left_s
