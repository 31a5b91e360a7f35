"""A seeded random sequence of low-risk faults: the same seed and inventory make the same sequence."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal

import msgspec

from console.chaos import wish
from console.errors import Refused
from console.faults import AnyFault
from console.faults.call_errors import CallErrors
from console.faults.call_modes import Mode, panics
from console.faults.process_signal import ProcessSignal
from console.faults.shell import UNTOUCHABLE_UNITS
from console.plan.inventory import Inventory
from console.plan.probe import ServiceProbe
from console.plan.scenario import Action, Expectation, Scenario
from console.terms import Category, Risk

HOLD_S = (5, 15)
"""For how long a mode is held, in whole seconds."""
AROUND_S = 15.0
"""What a run takes besides: arming, proofs, recovery. Only for how many steps fit into a time."""
RATES = (10, 25, 50, 100)
MODES: tuple[Mode, ...] = ("disk_full", "disk_fail", "network_fail", "memory_pressure", "slow_io", "random_panic")
SIGNALS: tuple[Literal["TERM", "KILL"], ...] = ("TERM", "KILL")
RECOVERY_S = 30.0


class Aim(msgspec.Struct, frozen=True):
    """A service that may be hit."""

    node: str
    service: str
    signalled: bool
    """Whether its process is known and comes back by itself."""


class Step(msgspec.Struct, frozen=True):
    """One fault on one service."""

    number: int
    node: str
    service: str
    fault: AnyFault

    @property
    def words(self) -> str:
        """Like `1: call-errors disk_full at 10 %, held for 7 s in sigil on bluefin`."""
        return f"{self.number}: {self.fault.summary} in {self.service} on {self.node}"

    def scenario(self, inventory: Inventory) -> Scenario:
        """The run that it is."""
        if isinstance(self.fault, CallErrors):
            return wish.scenario(self.node, self.service, self.fault, inventory)
        back = ServiceProbe(node=self.node, service=self.service)
        return Scenario(
            name="monkey-signal",
            title=f"{self.fault.summary} to {self.service} on {self.node}",
            category=Category.SERVICE,
            risk=Risk.LOW,
            purpose=f"See whether {self.service} comes back by itself.",
            hypothesis=f"{self.service} is active again within {RECOVERY_S:g} s.",
            rollback="What stays down is started after the verdict.",
            method=(Action(node=self.node, service=self.service, fault=self.fault),),
            steady_state=wish.steady_state(self.node, self.service, inventory),
            expectations=(
                Expectation("back", f"{self.service} is active again", back, RECOVERY_S, 5.0, recovery=True),
            ),
            observe_s=RECOVERY_S + 15,
        )


def targets(inventory: Inventory, chosen: Sequence[tuple[str, str]] = ()) -> list[Aim]:
    """The services that may be hit, in the inventory's order; of `chosen` all, where any is named.

    Raises:
        Refused: none may be, or a chosen one may not.
    """
    databases = {(database.node, database.service) for database in inventory.databases.values()}
    found: list[Aim] = []
    for node, spec in inventory.nodes.items():
        for name, service in spec.services.items():
            if chosen and (node, name) not in chosen:
                continue
            whole = service.recovery == "automatic" and (node, name) not in databases
            forbidden = spec.production or service.production or service.unit in UNTOUCHABLE_UNITS
            if forbidden or not whole:
                if chosen:
                    why = "is marked production" if forbidden else "is a database, or does not recover by itself"
                    raise Refused(f"{name} on {node} {why}: the monkey leaves it alone")
                continue
            found.append(Aim(node, name, bool(service.process)))
    if not found:
        raise Refused("nothing in the inventory may be hit: all is production, a database, or recovers by hand only")
    return found


def sequence(seed: int, aims: Sequence[Aim], for_s: float) -> list[Step]:
    """As many steps as fit into the time when each takes its own and AROUND_S; at least one.

    Of the generator only `random` is used, whose values are the same in every version of Python.
    """
    source = random.Random(seed)  # noqa: S311 (it has to be reproducible)

    def pick(count: int) -> int:
        return int(source.random() * count)

    steps: list[Step] = []
    spent_s = 0.0
    while not steps or spent_s < for_s:
        aim = aims[pick(len(aims))]
        kind = pick(len(MODES) + (1 if aim.signalled else 0))
        hold_s = float(HOLD_S[0] + pick(HOLD_S[1] - HOLD_S[0] + 1))
        rate, own_seed = RATES[pick(len(RATES))], pick(2**31 - 1)
        fault: AnyFault
        if kind == len(MODES):
            fault = ProcessSignal(signal=SIGNALS[own_seed % 2])
        elif MODES[kind] == "random_panic":
            # Far enough apart for a service's start limit, and one for certain.
            own_seed = next(one for one in range(own_seed, 2**31) if panics(one, 50, 5, hold_s))
            fault = CallErrors(mode="random_panic", rate_pct=50, every_s=5, hold_s=hold_s, seed=own_seed)
        else:
            fault = CallErrors(mode=MODES[kind], rate_pct=rate, hold_s=hold_s)
        spent_s += fault.lasts_s + AROUND_S
        if not steps or spent_s <= for_s:
            steps.append(Step(len(steps) + 1, aim.node, aim.service, fault))
    return steps
