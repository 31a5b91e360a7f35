"""From a scenario and an inventory to a plan: every name resolved, or one sentence with file and line."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from console.errors import BadInput, near_match
from console.faults.base import DatabaseTarget, StoreTarget, Target
from console.faults.disk_fill import DiskFill
from console.faults.node_reboot import NodeReboot
from console.faults.store_disk_full import StoreDiskFull
from console.plan import components, peers, stores, strict, writers
from console.plan.inventory import Inventory, Node, Service
from console.plan.plan import Plan, PlannedAction, PlannedNode, asked_at
from console.plan.probe import (
    AlertProbe,
    AnyProbe,
    BootedProbe,
    CommandProbe,
    ComponentProbe,
    ConnectionsProbe,
    FilesystemProbe,
    HttpProbe,
    IntegrityProbe,
    LoadProbe,
    MemoryProbe,
    MetricProbe,
    PingProbe,
    ProcessProbe,
    SecondOpenerProbe,
    ServiceProbe,
    SqlProbe,
    StoreProbe,
    WritesProbe,
)
from console.plan.scenario import Action, Expectation, Scenario
from console.plan.window import DEFAULT, Window, between
from console.terms import Risk


def resolve(
    scenario: Scenario,
    inventory: Inventory,
    *,
    operator: str,
    run: str,
    created: datetime,
    file: Path | None = None,
    window: Window | None = None,
    trials: int = 1,
) -> Plan:
    """Resolve every name of the scenario against the inventory; with its `file`, errors name the line.

    A fault that needs a maintenance window gets an hour from `created` when none is given.

    Raises:
        BadInput: a name that the inventory lacks.
        Refused: a guard rail of a fault.
    """
    if window is None and any(action.fault.needs_window for action in scenario.method):
        window = between(created, created + DEFAULT)
    resolver = _Resolver(scenario, inventory, run, file, window)
    resolved = msgspec.structs.replace(
        scenario,
        steady_state=tuple(
            msgspec.structs.replace(item, probe=resolver.probe(item.probe, "steady_state", index, "probe"))
            for index, item in enumerate(scenario.steady_state)
        ),
        expectations=tuple(
            resolver.expectation(item, "expectations", index) for index, item in enumerate(scenario.expectations)
        ),
    )
    actions = tuple(resolver.action(action, "method", index) for index, action in enumerate(scenario.method))
    return Plan(
        version=1,
        run=run,
        created=created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        inventory=inventory.name,
        operator=operator,
        lease_s=inventory.lease_s,
        scenario=resolved,
        nodes=tuple(resolver.planned_node(name, actions) for name in sorted(resolver.units)),
        actions=actions,
        policy=inventory.approvals.policy(scenario.risk) if scenario.method else inventory.approvals.policy(Risk.LOW),
        window=window,
        trials=trials,
    )


class _Resolver:
    """Looks names up, and remembers which nodes and units the plan comes to touch or measure.

    `at` is always the path of keys to the place in the scenario that is being resolved.
    """

    def __init__(
        self, scenario: Scenario, inventory: Inventory, run: str, file: Path | None, window: Window | None
    ) -> None:
        self.scenario = scenario
        self.inventory = inventory
        self.run = run
        self.file = file
        self.window = window
        self.units: dict[str, dict[str, str]] = {}

    def node(self, name: str, *at: str | int) -> Node:
        if name not in self.inventory.nodes:
            raise self._unknown("node", name, self.inventory.nodes, *at)
        self.units.setdefault(name, {})
        return self.inventory.nodes[name]

    def service(self, node: str, name: str, *at: str | int) -> Service:
        services = self.inventory.nodes[node].services
        if name not in services:
            raise self._unknown(f"service of {node}", name, services, *at)
        self.units[node][name] = services[name].unit
        return services[name]

    def database(self, name: str, *at: str | int) -> DatabaseTarget:
        if name not in self.inventory.databases:
            raise self._unknown("database", name, self.inventory.databases, *at)
        database = self.inventory.databases[name]
        self.node(database.node, *at)
        services = self.inventory.nodes[database.node].services
        return DatabaseTarget(
            host=database.host,
            port=database.port,
            dbname=database.dbname,
            user=database.user,
            node=database.node,
            unit=services[database.service].unit if database.service else "",
            backup_dir=database.backup_dir,
        )

    def store(self, name: str, *at: str | int) -> StoreTarget:
        if name not in self.inventory.stores:
            raise self._unknown("store", name, self.inventory.stores, *at)
        store = self.inventory.stores[name]
        self.node(store.node, *at)
        unit = self.service(store.node, store.service, *at).unit
        return StoreTarget(name, store.path, unit, store.url, store.command, store.open)

    def _unknown(self, kind: str, name: str, known: Iterable[str], *at: str | int) -> BadInput:
        return self._bad(f"no {kind} is named {name[:60]!r} in the inventory{near_match(name, known)}", *at)

    def _bad(self, what: str, *at: str | int) -> BadInput:
        if self.file is None:
            return BadInput(f"scenario '{self.scenario.name}', {at[0]}: {what}")
        return BadInput(what, file=self.file, line=strict.line_of(strict.compose(self.file), *at))

    def expectation(self, item: Expectation, *at: str | int) -> Expectation:
        """An alert is required only where there is an Alertmanager to ask."""
        probe = self.probe(item.probe, *at, "probe")
        asked = not isinstance(probe, AlertProbe) or bool(probe.alertmanager)
        return msgspec.structs.replace(item, probe=probe, required=item.required and asked)

    def probe(self, probe: AnyProbe, *at: str | int) -> AnyProbe:
        if isinstance(probe, HttpProbe):
            self.node(probe.node, *at, "node")
            url = probe.url
            if probe.service:
                service = self.service(probe.node, probe.service, *at, "service")
                url = url or service.health
            if not url:
                raise self._bad("neither 'url' nor a service with a health URL in the inventory is named", *at)
            if probe.from_node:
                self.node(probe.from_node, *at, "from_node")
                url = probe.url or peers.seen_by_others(url, self.inventory.nodes[probe.node])
            return msgspec.structs.replace(probe, url=url)
        if isinstance(probe, PingProbe):
            self.node(probe.node, *at, "node")
            return msgspec.structs.replace(probe, address=self.node(probe.peer, *at, "peer").reached_at)
        if isinstance(probe, (ServiceProbe, ProcessProbe)):
            self.node(probe.node, *at, "node")
            return msgspec.structs.replace(probe, unit=self.service(probe.node, probe.service, *at, "service").unit)
        if isinstance(probe, BootedProbe):
            self.node(probe.node, *at, "node")
            named = [self.service(probe.node, name, *at, "services", i) for i, name in enumerate(probe.services)]
            return msgspec.structs.replace(probe, units=tuple(service.unit for service in named))
        if isinstance(probe, MetricProbe):
            self.node(probe.node, *at, "node")
            service = self.service(probe.node, probe.service, *at, "service")
            if not service.metrics:
                raise self._bad(f"'{probe.service}' has no 'metrics' in the inventory", *at, "service")
            return msgspec.structs.replace(probe, url=service.metrics)
        if isinstance(probe, ComponentProbe):
            self.node(probe.node, *at, "node")
            service = self.service(probe.node, probe.service, *at, "service")
            part = service.components.get(probe.component)
            if part is None or not part.process:
                what = f"component of {probe.service} with a process"
                raise self._unknown(what, probe.component, service.components, *at, "component")
            return msgspec.structs.replace(probe, unit=service.unit, process=part.process)
        if isinstance(probe, SqlProbe):
            return msgspec.structs.replace(probe, unit=self.database(probe.database, *at, "database").unit)
        if isinstance(probe, WritesProbe):
            return self.writes(probe, *at)
        if isinstance(probe, StoreProbe):
            return self.records(probe, *at)
        if isinstance(probe, SecondOpenerProbe):
            return self.second_opener(probe, *at)
        if isinstance(probe, (ConnectionsProbe, IntegrityProbe)):
            self.database(probe.database, *at, "database")
        elif isinstance(probe, FilesystemProbe):
            self.node(probe.node, *at, "node")
            return msgspec.structs.replace(probe, path=probe.path or self.filled(probe.node, *at))
        elif isinstance(probe, (CommandProbe, LoadProbe, MemoryProbe)):
            self.node(probe.node, *at, "node")
        elif isinstance(probe, AlertProbe):
            asked = asked_at(self.inventory, probe.alert)
            if asked[1]:
                self.node(asked[1], *at, "node")  # what is seen through it must not be another run's fault
            stand_in = bool(asked[0] and self.inventory.monitoring and self.inventory.monitoring.stand_in)
            return msgspec.structs.replace(probe, alertmanager=asked[0], node=asked[1], stand_in=stand_in)
        return probe

    def filled(self, node: str, *at: str | int) -> str:
        """The path that the scenario's disk-fill or store-disk-full fills on that node."""
        for action in self.scenario.method:
            if action.node == node and isinstance(action.fault, DiskFill):
                return action.fault.path
            if action.node == node and isinstance(action.fault, StoreDiskFull) and action.store:
                return self.store(action.store, *at).path
        raise self._bad(f"'path' is missing, and no disk-fill of this scenario fills a path on {node}", *at)

    def writes(self, probe: WritesProbe, *at: str | int) -> WritesProbe:
        self.database(probe.database, *at, "database")
        found = writers.located(probe, self.scenario, self.inventory, self.run)
        if found is None:
            raise self._bad(f"no postgres-crash of '{probe.database}' in the method, so there is no writer", *at)
        return found

    def second_opener(self, probe: SecondOpenerProbe, *at: str | int) -> SecondOpenerProbe:
        self.store(probe.store, *at, "store")
        wrong = stores.unreadable(probe)
        if wrong:
            raise self._bad(wrong, *at, "says")
        found = stores.opened_again(probe, self.scenario, self.inventory, self.run)
        if found is None:
            raise self._bad(f"no store-second-opener of '{probe.store}' in the method", *at)
        return found

    def records(self, probe: StoreProbe, *at: str | int) -> StoreProbe:
        self.store(probe.store, *at, "store")
        wrong = stores.unreadable(probe)
        if wrong:
            raise self._bad(wrong, *at, "says")
        return stores.located(probe, self.inventory, self.run)

    def action(self, action: Action, *at: str | int) -> PlannedAction:
        node = self.node(action.node, *at, "node")
        fault = action.fault
        services = [self.service(action.node, name, *at, "services", i) for i, name in enumerate(action.services)]
        if action.service and not services:
            services = [self.service(action.node, action.service, *at, "service")]
        if fault.reboots and not services:
            services = [self.service(action.node, name, *at, "node") for name in node.services]
        if isinstance(fault, NodeReboot) and fault.how == "poweroff" and not node.power_on:
            raise self._bad(f"{action.node} has no 'power_on' in the inventory: nothing would switch it on again", *at)
        store = self.store(action.store, *at, "store") if action.store else None
        if fault.needs_store and store is None:
            raise self._bad(f"{fault.kind} needs 'store'", *at)
        if store and not fault.needs_store:
            raise self._bad(f"{fault.kind} has no 'store'", *at, "store")
        if store and self.inventory.stores[action.store].node != action.node:
            home = self.inventory.stores[action.store].node
            raise self._bad(f"store '{action.store}' is on {home}, not here", *at, "node")
        units = tuple(service.unit for service in services) or ((store.unit,) if store else ())
        if fault.needs_units and not units:
            raise self._bad(f"{fault.kind} needs 'service' or 'services'", *at)
        process = services[0].process if services else ""
        if fault.needs_process and not process:
            raise self._bad(f"{fault.kind} needs a service that has a 'process' in the inventory", *at)
        if fault.needs_database and not action.database:
            raise self._bad(f"{fault.kind} needs 'database'", *at)
        component, wrong = components.located(fault, services)
        if wrong:
            raise self._bad(wrong, *at, "fault")
        database = self.database(action.database, *at, "database") if action.database else None
        if fault.beside_database and database:
            if database.node != action.node:
                raise self._bad(f"database '{action.database}' runs on {database.node}, not here", *at, "node")
            if database.unit:  # so that its start by the revert is seen as such
                self.service(action.node, self.inventory.databases[action.database].service, *at, "database")
        peer = self.peer(action, *at)
        target = Target(
            node=action.node,
            run=self.run,
            units=units,
            process=process,
            database=database,
            store=store,
            metrics=services[0].metrics if services else "",
            component=component,
            peer=action.peer,
            peers=(peer.reached_at,) if peer else (),
            peer_port=peer.port if peer else 22,
            never=node.never,
            window=self.window.epochs if self.window else None,
            run_dir=node.run_dir,
            undo_dir=node.undo_dir,
            memory_disks=node.memory_disks,
            memory_limit_mb=node.memory_limit_mb,
        )
        return PlannedAction(
            node=action.node,
            fault=fault,
            target=target,
            scripts=fault.scripts(target),
            blast_radius=fault.blast_radius(target),
        )

    def peer(self, action: Action, *at: str | int) -> Node | None:
        """The other node of a fault between two."""
        wrong = peers.wrong_peer(action)
        if wrong:
            raise self._bad(wrong, *at, *(("peer",) if action.peer else ()))
        if not action.peer:
            return None
        peer = self.node(action.peer, *at, "peer")
        peers.refuse_way_in(action, self.inventory.nodes[action.node], peer)
        return peer

    def planned_node(self, name: str, actions: Iterable[PlannedAction]) -> PlannedNode:
        node = self.inventory.nodes[name]
        survives = any(action.node == name and action.fault.survives_reboot for action in actions)
        reboots = any(action.node == name and action.fault.reboots for action in actions)
        return PlannedNode(
            name=name,
            address=node.address,
            port=node.port,
            user=node.user,
            sudo=node.sudo,
            run_dir=node.run_dir,
            units=dict(sorted(self.units[name].items())),
            shell_guard_for_high=node.shell_guard_for_high,
            undo_dir=node.undo_dir if survives else "",
            power_on=node.power_on if reboots else (),
        )
