"""The inventory: nodes, services, databases, who may approve, and what the checklist can verify by itself."""

from __future__ import annotations

import os
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml

from console.errors import BadInput, near_match
from console.plan import strict
from console.plan.probe import Url
from console.terms import Risk

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
Word = Annotated[str, msgspec.Meta(max_length=255, pattern=r"^[^\s-]\S*$", description="one word that is no option")]
MaybeWord = Annotated[
    str, msgspec.Meta(max_length=255, pattern=r"^([^\s-]\S*)?$", description="one word that is no option")
]
Absolute = Annotated[str, msgspec.Meta(max_length=4000, pattern=r"^/[^\n]*$", description="an absolute path")]
"""A relative path on a node would protect or show nothing."""
MaybeAbsolute = Annotated[str, msgspec.Meta(max_length=4000, pattern=r"^(/[^\n]*)?$", description="an absolute path")]

TableName = Annotated[
    str, msgspec.Meta(pattern=r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$", description="a table's plain name")
]


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of everything in an inventory."""


class Component(Part, frozen=True):
    """A part of one application, known by one of the two."""

    process: str = ""
    """What the command line of such a process of the unit contains, like `jobs worker`."""
    port: Port | None = None
    """The TCP port on its own node at which it answers."""


class Development(Part, frozen=True):
    """The endpoints by which an application makes faults in itself, for development and test only.

    url      as its own node sees it. POST URL/COMPONENT/kill, URL/COMPONENT/delay?ms=N or URL/COMPONENT/fail makes the
             fault, POST URL/reset takes all back, GET URL tells {"faults": [COMPONENT, ...]}; each of them with
             `Authorization: Bearer TOKEN`.
    """

    url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s\"\\]+$", description="an http(s) URL")]
    token_file: Text
    """A file on the console with the token in it, for its owner's eyes only; relative to the inventory."""


class Service(Part, frozen=True):
    """A service on a node, as the operator names it."""

    unit: Word
    criticality: Literal["critical", "high", "normal"] = "normal"
    recovery: Literal["automatic", "manual"] = "automatic"
    process: str = ""
    """What its command line contains, for faults that signal it, like `uvicorn gateway:app`."""
    health: Url = ""
    """The URL that answers 200 when it is well, as seen from its own node."""
    metrics: Url = ""
    """Where it counts its errors by their number, `…_errors_total{errno="ENOSPC"}`, as seen from its own node."""
    label: str = ""
    """Shown beside the name, like `stand-in`."""
    production: bool = False
    """Faults that are for development and test only are refused here, as on a node that is marked so."""
    components: dict[str, Component] = {}
    """The parts that it consists of, for faults that hit one of them."""
    dev: Development | None = None


class Node(Part, frozen=True):
    """A machine that the console reaches over SSH."""

    address: Word
    peer_address: MaybeWord = ""
    """The address by which other nodes reach it; empty: `address`."""
    user: MaybeWord = ""
    """Empty: as ~/.ssh/config or the local user says."""
    port: Port = 22
    identity: str = ""
    """Private key file, relative to the inventory; empty: agent and ~/.ssh/config."""
    known_hosts: str = ""
    """Host keys file, relative to the inventory; empty: ~/.ssh/known_hosts. Host keys are always checked."""
    jump: MaybeWord = ""
    """Jump host as [user@]host[:port]."""
    sudo: bool = True
    """Commands that change the node go through `sudo -n`."""
    run_dir: Absolute = "/run/gameday"
    """Where the guard keeps a run's scripts on the node: a folder that a reboot empties."""
    undo_dir: Absolute = "/var/lib/gameday"
    """Where that is also kept, until it is proven clean, for a fault that outlives a reboot: a folder on a disk."""
    memory_limit_mb: Annotated[int, msgspec.Meta(ge=16)] | None = None
    """What counts as the whole of its memory for faults and probes, in MiB, where that is less than MemTotal and its
    container's limit; in use is then what the node's own processes hold. For nodes that share a machine's memory."""
    power_on: tuple[Text, ...] = ()
    """A command for the console's own machine that switches the node on, for one that does not come back."""
    production: bool = False
    """Faults that are for development and test only are refused here."""
    disks: tuple[Absolute, ...] = ("/",)
    """The mount points that are watched."""
    never: tuple[Absolute, ...] = ()
    """Paths that no fault may touch, nor the file systems that hold them."""
    shell_guard_for_high: bool = False
    """Where the node has no systemd: accept the shell's guard for high risk too. It is two processes that watch each
    other; both killed at once would leave the fault. Signed with the plan."""
    memory_disks: tuple[Absolute, ...] = ()
    """Mounts in memory (tmpfs) that disk-fill may fill without being told `memory: true`, as a practice lab's disks."""
    services: dict[str, Service] = {}

    @property
    def reached_at(self) -> str:
        """The address by which other nodes reach it."""
        return self.peer_address or self.address


class Database(Part, frozen=True):
    """A PostgreSQL database. Its host and port are as seen from `node`; the console reaches it through that node."""

    node: Text
    dbname: Text
    user: Text
    host: Word = "127.0.0.1"
    port: Port = 5432
    passfile: str = ""
    """A pgpass file on the console, relative to the inventory; empty: ~/.pgpass."""
    service: str = ""
    """The service on `node` that runs it."""
    backup_dir: MaybeAbsolute = ""
    """A folder on `node` for the fresh backup that a fault like postgres-crash takes first; the newest three of ours
    are kept. Only the folder's owner can read them: let it be another one than that of `checks.backups`. Empty: such a
    fault is refused."""


class Store(Part, frozen=True):
    """A store of keyed records, and how it is asked on its own node: by `url` or by `command`, one of the two.

    url      PUT URL/KEY with the value as body (2xx: acknowledged), GET URL/KEY, GET URL (the keys, one a line),
             DELETE URL/KEY where it can.
    command  with `put KEY` and the value on standard input (exit 0: acknowledged), `get KEY`, `list`, `delete KEY`.
    """

    node: Text
    service: Text
    """The service on `node` that it is."""
    path: Absolute
    """The folder of its files on `node`."""
    url: Url = ""
    command: tuple[Text, ...] = ()
    can_delete: bool = True
    """Whether records of ours can be deleted afterwards; else they stay in it."""
    open: tuple[Text, ...] = ()
    """A command on `node` that opens it a second time, for faults that try to: run as its service's user without its
    environment, so it must name the folder itself."""


class ThermalMemory(Part, frozen=True):
    """Where write-ups go."""

    database: Text
    table: TableName = "thermal_memory_archive"


class Policy(Part, frozen=True):
    """Who approves a risk: `quorum` distinct principals of `role`, more for than against. Quorum 0: nobody."""

    role: str = ""
    quorum: Annotated[int, msgspec.Meta(ge=0, le=50)] = 0


class Approvals(Part, frozen=True):
    """Keys, roles and the folder in which signatures arrive."""

    allowed_signers: str = ""
    """An OpenSSH allowed_signers file, relative to the inventory."""
    revoked_keys: str = ""
    """Keys that count no more, as `ssh-keygen -Y verify -r` takes them, relative to the inventory; empty: none."""
    inbox: str = ""
    """A folder that is watched for `*.approval` files, relative to the inventory."""
    operator: str = ""
    """The principal that launches medium and high risk."""
    operator_key: str = ""
    """That principal's key file (a .pub for an agent's key), relative to the inventory."""
    roles: dict[str, tuple[str, ...]] = {}
    """Role -> principals."""
    low: Policy = Policy()
    medium: Policy = Policy(role="tpm", quorum=1)
    high: Policy = Policy(role="council", quorum=3)

    def policy(self, risk: Risk) -> Policy:
        """What this risk asks for."""
        return {Risk.LOW: self.low, Risk.MEDIUM: self.medium, Risk.HIGH: self.high}[risk]


class Notify(Part, frozen=True):
    """The channel by which the TPM hears of the test window: a program that gets the message on standard input."""

    command: tuple[str, ...]


class Backups(Part, frozen=True):
    """Where the newest backup of the databases lies, and how old it may be, in hours."""

    node: Text
    path: Absolute
    """A folder on that node; the newest file in it counts, and it must be readable (`gzip -t` for .gz)."""
    max_age_h: Annotated[float, msgspec.Meta(gt=0, le=24 * 366)] = 24.0


class Query(Part, frozen=True):
    """A question to a database that must give `expect` as its first value, compared as text."""

    database: Text
    sql: Text
    expect: str = "0"


class Checks(Part, frozen=True):
    """What the pre-test checklist can verify by itself; an absent one is ticked by the operator."""

    notify: Notify | None = None
    backups: Backups | None = None
    active_work: Query | None = None
    council: Query | None = None


class Monitoring(Part, frozen=True):
    """The Alertmanager that is asked whether monitoring noticed."""

    alertmanager: Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s/@]+(/\S*)?$", description="an http(s) URL")]
    """One instance, like `http://127.0.0.1:9093`: behind a load balancer a restart cannot be told."""
    node: str = ""
    """The node from which it is asked, through SSH; empty: the console asks it directly."""
    stand_in: bool = False
    """It stands in for a real one, as in a practice lab, and is called so wherever it is told of. It witnesses the
    alerts in `only`, and no more: that all of monitoring is quiet it cannot say."""
    only: tuple[str, ...] = ()
    """The alerts for which it has rules; others are not asked for. Empty: it may have any."""


class Notifications(Part, frozen=True):
    """Who is told how a run ended: by URLs as apprise takes them (https://github.com/caronc/apprise), in any of the
    three ways. They may carry secrets: none of them is ever told, logged or put on a command line."""

    urls: tuple[Text, ...] = ()
    file: str = ""
    """A file with one URL a line, which only its owner may read, relative to the inventory."""
    command: tuple[Text, ...] = ()
    """A command for the console's own machine that prints one URL a line, like `pass show gameday/notify`."""
    on: tuple[Literal["failed", "unsafe", "aborted", "not-run", "finished"], ...] = ("failed", "unsafe", "aborted")
    """After which runs; `finished`: after each that was begun."""
    timeout_s: Annotated[float, msgspec.Meta(ge=1, le=120)] = 30.0
    """How long all of it together may take, in seconds."""


class Inventory(Part, frozen=True):
    """Everything that the console knows of its surroundings."""

    version: Literal[1]
    name: Text
    nodes: dict[str, Node]
    databases: dict[str, Database] = {}
    stores: dict[str, Store] = {}
    thermal_memory: ThermalMemory | None = None
    approvals: Approvals = Approvals()
    checks: Checks = Checks()
    monitoring: Monitoring | None = None
    notify: Notifications | None = None
    lease_s: Annotated[float, msgspec.Meta(ge=3, le=60)] = 10.0
    """For how long a node waits for the console before it takes the fault back, in seconds."""
    scenarios: str = ""
    """A folder of own scenarios beside the shipped ones, relative to the inventory."""
    log_file: str = ""
    """PASS/FAIL/SKIP lines; empty: under the user's state folder."""

    def production(self, node: str, units: Container[str]) -> list[str]:
        """What of these units is marked production, like `sigil on bluefin`, or the whole node; empty: nothing is."""
        spec = self.nodes[node]
        if spec.production:
            return [node]
        return [f"{name} on {node}" for name, item in spec.services.items() if item.production and item.unit in units]


def load_inventory(file: Path) -> Inventory:
    """The inventory in `file`, its references checked and its relative paths made absolute.

    Raises:
        BadInput: the file is not an inventory, or names something that is not there.
    """
    root = strict.compose(file)
    inventory = strict.build(root, Inventory, file)
    _References(inventory, root, file).check()
    return _absolute(inventory, file.resolve().parent)


class _References:
    """Whether every name that the inventory uses is in it."""

    def __init__(self, inventory: Inventory, root: yaml.Node, file: Path) -> None:
        self.inventory, self.root, self.file = inventory, root, file

    def check(self) -> None:
        inventory = self.inventory
        nodes, databases, checks = inventory.nodes, inventory.databases, inventory.checks
        if not nodes:
            raise self._bad("'nodes' is empty: nothing to watch", "nodes")
        for name, database in databases.items():
            self._known("node", database.node, nodes, "databases", name, "node")
            if database.service:
                services = nodes[database.node].services
                self._known(f"service on {database.node}", database.service, services, "databases", name, "service")
        for node_name, node in nodes.items():
            for name, service in node.services.items():
                for part, component in service.components.items():
                    if bool(component.process) == bool(component.port):
                        where = ("nodes", node_name, "services", name, "components", part)
                        raise self._bad(f"'{'.'.join(where)}' needs either 'process' or 'port'", *where)
        for name, store in inventory.stores.items():
            self._known("node", store.node, nodes, "stores", name, "node")
            self._known(
                f"service on {store.node}", store.service, nodes[store.node].services, "stores", name, "service"
            )
            if bool(store.url) == bool(store.command):
                raise self._bad(f"'stores.{name}' needs either 'url' or 'command'", "stores", name)
        if inventory.thermal_memory:
            self._known("database", inventory.thermal_memory.database, databases, "thermal_memory", "database")
        if inventory.monitoring and inventory.monitoring.node:
            self._known("node", inventory.monitoring.node, nodes, "monitoring", "node")
        if checks.backups:
            self._known("node", checks.backups.node, nodes, "checks", "backups", "node")
        for item, query in (("active_work", checks.active_work), ("council", checks.council)):
            if query:
                self._known("database", query.database, databases, "checks", item, "database")
        for risk in Risk:
            policy = inventory.approvals.policy(risk)
            if policy != Approvals().policy(risk) and policy.quorum:
                self._known("role", policy.role, inventory.approvals.roles, "approvals", risk.value, "role")

    def _known(self, kind: str, name: str, among: Mapping[str, object], *path: str) -> None:
        if name not in among:
            hint = near_match(name, among)
            raise self._bad(f"'{'.'.join(path)}' is {name[:60]!r}: there is no such {kind}{hint}", *path)

    def _bad(self, what: str, *path: str) -> BadInput:
        return BadInput(what, file=self.file, line=strict.line_of(self.root, *path))


def _absolute(inventory: Inventory, base: Path) -> Inventory:
    def path(text: str) -> str:
        # Unlike Path.expanduser this leaves an unknown user's home as it stands, to be reported as a missing file.
        return str(base / os.path.expanduser(text)) if text else ""

    replace = msgspec.structs.replace
    approvals = inventory.approvals
    return replace(
        inventory,
        nodes={
            name: replace(
                node,
                identity=path(node.identity),
                known_hosts=path(node.known_hosts),
                services={
                    service: replace(item, dev=replace(item.dev, token_file=path(item.dev.token_file)))
                    if item.dev
                    else item
                    for service, item in node.services.items()
                },
            )
            for name, node in inventory.nodes.items()
        },
        databases={name: replace(item, passfile=path(item.passfile)) for name, item in inventory.databases.items()},
        approvals=replace(
            approvals,
            allowed_signers=path(approvals.allowed_signers),
            revoked_keys=path(approvals.revoked_keys),
            inbox=path(approvals.inbox),
            operator_key=path(approvals.operator_key),
        ),
        notify=replace(inventory.notify, file=path(inventory.notify.file)) if inventory.notify else None,
        scenarios=path(inventory.scenarios),
        log_file=path(inventory.log_file),
    )
