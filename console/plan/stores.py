"""Stores as a plan's probes know them: where and how each is asked, by whom in this run."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from console.faults.store_second_opener import StoreSecondOpener
from console.plan.inventory import Inventory
from console.plan.probe import SecondOpenerProbe, StoreProbe
from console.plan.scenario import Scenario


def located(probe: StoreProbe, inventory: Inventory, run: str) -> StoreProbe:
    """The probe with what the inventory says of its store, which must be in it."""
    store = inventory.stores[probe.store]
    return msgspec.structs.replace(
        probe, node=store.node, url=store.url, command=store.command, can_delete=store.can_delete, run=run
    )


def opened_again(
    probe: SecondOpenerProbe, scenario: Scenario, inventory: Inventory, run: str
) -> SecondOpenerProbe | None:
    """The probe with the folder of its fault, the action's on its node, see nodes/scripts.py; None: there is none."""
    node = inventory.stores[probe.store].node
    here = [action for action in scenario.method if action.node == node]
    for number, action in enumerate(here, start=1):
        if isinstance(action.fault, StoreSecondOpener) and action.store == probe.store:
            return msgspec.structs.replace(probe, node=node, folder=f"{inventory.nodes[node].run_dir}/{run}/{number}")
    return None


def unreadable(probe: StoreProbe | SecondOpenerProbe) -> str:
    """What is wrong with the probe's own words; empty: nothing.

    >>> unreadable(StoreProbe(store="sigil", state="refuses", says="full|("))
    "'says' is no regular expression: missing ), unterminated subpattern at position 5"
    """
    if isinstance(probe, StoreProbe) and probe.says and probe.state != "refuses":
        return f"'says' is for the state 'refuses', this is '{probe.state}'"
    try:
        re.compile(probe.says)
    except re.error as error:
        return f"'says' is no regular expression: {error}"
    return ""


def store_probes(scenario: Scenario) -> Iterator[StoreProbe]:
    """Every store probe of the scenario."""
    probes = [item.probe for item in scenario.steady_state] + [item.probe for item in scenario.expectations]
    yield from (probe for probe in probes if isinstance(probe, StoreProbe))


def store_words(probe: StoreProbe) -> str:
    """What the probe asks of its store, for those who sign.

    >>> store_words(StoreProbe(store="sigil", state="writes", url="http://127.0.0.1:7070/records"))
    'store sigil at http://127.0.0.1:7070/records acknowledges records that are written to it all through the run'
    """
    asked = {
        "writes": "acknowledges records that are written to it all through the run",
        "refuses": "refuses records with an error" + (f" that says '{probe.says}'" if probe.says else ""),
        "reads": "gives back a record that it acknowledged",
        "whole": "gives back every record that it acknowledged",
        "classed": "says of each refusal whether it is recoverable",
    }[probe.state]
    kept = "" if probe.can_delete or probe.state != "writes" else "; they stay in it"
    return f"store {probe.store} at {probe.url or ' '.join(probe.command)} {asked}{kept}"


def moved(scenario: Scenario, inventory: Inventory) -> list[str]:
    """What of the plan's store probes is not as the inventory says now, in words."""
    wrong = {
        f"store '{probe.store}' is another than the plan's"
        for probe in store_probes(scenario)
        if probe.store not in inventory.stores or located(probe, inventory, probe.run) != probe
    }
    return sorted(wrong)
