"""Runs of fault modes: one by hand in the foreground or left to its node, and the monkey's, one after the other."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from console import events as ev
from console.chaos.stats import of_evidence
from console.cli.headless import Headless, Test
from console.cli.printer import Printer
from console.plan.plan import Plan
from console.unattended import BY_HAND

if TYPE_CHECKING:
    from console.chaos.monkey import Step
    from console.session import Session


class HeldPrinter(Printer):
    """Says how a fault that is held is ended, and which rate came of it."""

    def __init__(self, as_json: bool, hint: str) -> None:
        super().__init__(as_json)
        self._hint = hint
        self._achieved = ""

    def event(self, event: ev.AnyEvent) -> None:
        """Print one event."""
        super().event(event)
        if isinstance(event, ev.EffectJudged):
            self._achieved = of_evidence(event.evidence) or self._achieved
        elif isinstance(event, ev.PhaseEntered) and event.phase.value == "observe" and self._hint:
            self.line(self._hint)
        elif isinstance(event, (ev.Reverting, ev.Detached)) and self._achieved:
            self.line(self._achieved)
            self._achieved = ""


async def run_modes(session: Session, plan: Plan, *, detach_s: float | None, as_json: bool) -> int:
    """One mode, to its end or until its node holds it by itself; returns the exit code."""
    hint = "" if detach_s else "it acts until Ctrl-C; `gameday chaos stats` and `rate` work from elsewhere"
    headless = Headless(
        session, [], BY_HAND, HeldPrinter(as_json, hint), detach_s=detach_s, ends_at_interrupt=detach_s is None
    )
    return await headless.run([Test(plan.scenario.name, lambda: plan)])


class Monkey(Headless):
    """Begins no further step once its time is over; what it has not begun is no test."""

    ends_at: float = 0.0

    async def _test(self, test: Test) -> None:
        if time.monotonic() < self.ends_at:
            await super()._test(test)


async def run_monkey(session: Session, steps: Sequence[Step], for_s: float, seed: int) -> int:
    """The steps in their order, as many as begin in the time; returns the exit code. The summary is a game day's."""
    monkey = Monkey(session, [], BY_HAND, Printer(as_json=False))
    monkey.ends_at = time.monotonic() + for_s

    def make(step: Step) -> Plan:
        return session.plan_of(step.scenario(session.inventory))

    return await monkey.run([Test(step.words, partial(make, step), f"monkey, seed {seed}") for step in steps])
