"""What a probe says, and how one is made from its data."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import msgspec

from console.errors import NodeUnreachable
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
    StoreProbe,
    WritesProbe,
)
from console.terms import Status

if TYPE_CHECKING:
    from console.nodes.ssh import SshNode
    from console.probes.database import DatabaseLink
    from console.probes.store_writer import StoreWriter

LINK_LIMIT_S = 2.0
"""For how long the node itself may take to answer before a missing answer is no longer held against the service."""


class Observation(msgspec.Struct, frozen=True):
    """What was seen. FAIL: the thing itself answered wrongly or not; UNKNOWN: it could not be asked."""

    status: Status
    text: str
    at_s: float
    """The console's clock, in seconds since the epoch, when it was true."""
    error_s: float = 0.0
    """How far `at_s` may be off, in seconds."""
    values: dict[str, float] = {}
    data_lost: bool = False
    """What was acknowledged is gone or damaged: that cannot get better any more."""


class Prober(Protocol):
    """Asks one question again and again."""

    async def start(self) -> None:
        """Remember the baseline.

        Raises:
            GamedayError: it cannot be told, and without it nothing can be judged.
        """

    async def check(self) -> Observation:
        """Ask once; never raises for what the answer is or for a lost link."""

    async def stop(self) -> None:
        """Let go of what it holds."""


class PlainProber:
    """What a prober does that remembers no baseline and holds nothing; one that does overrides it."""

    async def start(self) -> None:
        """There is no baseline."""

    async def stop(self) -> None:
        """Nothing is held."""


class Surroundings(Protocol):
    """Where probers find what they ask."""

    def node(self, name: str) -> SshNode:
        """The connection to that node."""

    def database(self, name: str) -> DatabaseLink:
        """The connection to that database."""


def prober(probe: AnyProbe, around: Surroundings, stores: Mapping[str, StoreWriter] | None = None) -> Prober:
    """The prober for that probe, whose names are resolved; it has not asked anything yet.

    `stores` are the writers of the run, by the stores' names.
    """
    from console.probes import (  # noqa: PLC0415 (they need this module)
        alert,
        booted,
        command,
        component,
        connections,
        filesystem,
        http,
        integrity,
        load,
        memory,
        metric,
        ping,
        process,
        second_opener,
        service,
        sql,
        store,
        writes,
    )
    from console.probes.alertmanager import Alertmanager  # noqa: PLC0415

    match probe:
        case HttpProbe():
            return http.HttpProber(probe, around.node(probe.from_node or probe.node))
        case ServiceProbe():
            return service.ServiceProber(probe, around.node(probe.node))
        case ConnectionsProbe():
            return connections.ConnectionsProber(probe, around.database(probe.database))
        case BootedProbe():
            return booted.BootedProber(probe, around.node(probe.node))
        case CommandProbe():
            return command.CommandProber(probe, around.node(probe.node))
        case PingProbe():
            return ping.PingProber(probe, around.node(probe.node))
        case WritesProbe():
            return writes.WritesProber(probe, around.node(probe.node), around.database(probe.database))
        case IntegrityProbe():
            return integrity.IntegrityProber(probe, around.database(probe.database))
        case SecondOpenerProbe():
            return second_opener.SecondOpenerProber(probe, around.node(probe.node))
        case FilesystemProbe():
            return filesystem.FilesystemProber(probe, around.node(probe.node))
        case MemoryProbe():
            return memory.MemoryProber(probe, around.node(probe.node))
        case MetricProbe():
            return metric.MetricProber(probe, around.node(probe.node))
        case ComponentProbe():
            return component.ComponentProber(probe, around.node(probe.node))
        case ProcessProbe():
            return process.ProcessProber(probe, around.node(probe.node))
        case LoadProbe():
            return load.LoadProber(probe, around.node(probe.node))
        case StoreProbe():
            writer = (stores or {}).get(probe.store)
            return store.StoreProber(probe, writer) if writer else Unasked(f"nothing writes to store {probe.store}")
        case AlertProbe():
            if not probe.alertmanager:
                return Unasked("no Alertmanager is configured")
            through = around.node(probe.node) if probe.node else None
            return alert.AlertProber(probe, Alertmanager(probe.alertmanager, through, timeout_s=probe.timeout_s))
        case _:
            return sql.SqlProber(probe, around.database(probe.database))


class Unasked(PlainProber):
    """Stands where nothing can be asked in this run: what it says is unknown, at once and for good."""

    def __init__(self, why: str) -> None:
        self.why = why

    async def check(self) -> Observation:
        """Unknown, and why."""
        return Observation(Status.UNKNOWN, self.why, time.time())


async def blame(node: SshNode) -> tuple[Status, str]:
    """Whose fault a missing answer is: (FAIL, "") when the node itself answers, else (UNKNOWN, why)."""
    try:
        await node.run("true", timeout_s=LINK_LIMIT_S)
    except NodeUnreachable as error:
        return Status.UNKNOWN, f" ({error})"
    return Status.FAIL, ""
