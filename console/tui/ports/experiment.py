"""An experiment in the list, and whether the nodes are ready for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from console.plan.scenario import Scenario
from console.terms import Status


class Readiness(Protocol):
    """A node before an experiment."""

    @property
    def status(self) -> Status:
        """Pass: ready; fail: it lacks something; unknown: it has not said."""
        ...

    @property
    def sentence(self) -> str:
        """Like `lacks iptables on greenfin (apt install iptables)` or `greenfin: ready`."""
        ...


class ExperimentView(Protocol):
    """An experiment in the list."""

    @property
    def scenario(self) -> Scenario: ...  # noqa: D102
    @property
    def problem(self) -> str:
        """Why it cannot run here, in a sentence; empty: nothing is known that stands in its way."""
        ...

    @property
    def needs(self) -> Sequence[Readiness]:
        """For each node of its plan, whether that has what the faults need."""
        ...

    @property
    def approval(self) -> str:
        """`none`, `1 tpm`, `3 council`."""
        ...

    @property
    def last(self) -> str:
        """The last verdict in words; empty: never run."""
        ...

    @property
    def runbook(self) -> str:
        """The runbook's Markdown; empty: there is none."""
        ...
