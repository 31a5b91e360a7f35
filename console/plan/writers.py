"""The writer that goes through a database's crash: where it is, for those who ask what became of its rows."""

from __future__ import annotations

import msgspec

from console.faults.postgres_crash import PostgresCrash, writer_table
from console.plan.inventory import Inventory
from console.plan.probe import WritesProbe
from console.plan.scenario import Scenario


def located(probe: WritesProbe, scenario: Scenario, inventory: Inventory, run: str) -> WritesProbe | None:
    """The probe with its writer's place filled in; None where no fault of the method brings one.

    The folder is the action's on its node: they are numbered from 1, see nodes/scripts.py.
    """
    node = inventory.databases[probe.database].node
    here = [action for action in scenario.method if action.node == node]
    for number, action in enumerate(here, start=1):
        if isinstance(action.fault, PostgresCrash) and action.database == probe.database:
            folder = f"{inventory.nodes[node].run_dir}/{run}/{number}"
            return msgspec.structs.replace(probe, node=node, folder=folder, table=writer_table(run))
    return None
