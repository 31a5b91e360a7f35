"""The watched fleet: a connection to each node and database, and what was last seen of them, with its age."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from console.errors import NodeUnreachable
from console.faults.needs import Answer
from console.nodes.capabilities import capabilities
from console.nodes.sampler import NodeSample, samples
from console.nodes.ssh import SshNode
from console.nodes.sweep import Trace, survey
from console.plan.inventory import Inventory, Node
from console.plan.probe import AnyProbe, ConnectionsProbe, SqlProbe
from console.probes.alertmanager import Alertmanager
from console.probes.database import DatabaseLink
from console.state import Point

HISTORY_POINTS = 600
"""How many points of each metric are kept for the short trends."""
TRACE_EVERY_S = 10.0
"""How often a node is asked whether a guard or a leftover stands on it, in seconds."""

NEEDS_EVERY_S = 30.0
"""How often a node is asked what it has of all that faults need, in seconds."""

HELD_EVERY_S = 2.0
"""The same while a guard is held: its lease is a countdown on the pane."""

Listener = Callable[[str], None]


class NodeView(msgspec.Struct, frozen=True):
    """What a node's pane shows. A None was not seen; ages are told from the `..._at_s` stamps."""

    name: str
    spec: Node
    up: bool
    why: str
    seen_at_s: float | None
    sample: NodeSample | None
    history: dict[str, tuple[Point, ...]]
    connections: tuple[int, int] | None
    """(now, max) of the database on this node."""
    connections_at_s: float | None
    traces: tuple[Trace, ...] | None
    """Guards and leftovers on the node; None: not known yet."""
    has: dict[str, Answer] | None
    """Need -> what the node says of it (console.faults.needs); None: it could not be asked."""
    traces_at_s: float | None = None
    """When the guards and leftovers were told, on the console's clock."""

    @property
    def trace(self) -> str:
        """The guard or leftover on the node in words; empty: none."""
        for trace in self.traces or ():
            if trace.state == "held":
                return f"held by run {trace.run}, operator {trace.operator}"
            return f"leftover of run {trace.run}: {trace.detail}"
        return ""

    @property
    def lease_left_s(self) -> float | None:
        """What was left of the holder's lease when the node was asked, in seconds; None: nobody holds it."""
        return next((trace.lease_left_s for trace in self.traces or () if trace.state == "held"), None)

    def lease_left_at(self, now_s: float) -> float | None:
        """What is left of it at that instant of the console's clock, if no word has reached the node since."""
        if self.lease_left_s is None or self.traces_at_s is None:
            return self.lease_left_s
        return max(0.0, self.lease_left_s - max(0.0, now_s - self.traces_at_s))


class _Watched:
    """What is known of one node, as it changes."""

    def __init__(self) -> None:
        self.sample: NodeSample | None = None
        self.history: dict[str, deque[Point]] = {}
        self.connections: dict[str, tuple[int, int]] = {}
        self.connections_at_s: float | None = None
        self.traces: tuple[Trace, ...] | None = None
        self.traces_at_s: float | None = None
        self.has: dict[str, Answer] | None = None
        self.wanted = asyncio.Event()
        """Set once its numbers are of use to somebody."""

    def add(self, name: str, at_s: float, value: float) -> None:
        self.history.setdefault(name, deque(maxlen=HISTORY_POINTS)).append((at_s, value))


def sample_values(sample: NodeSample) -> dict[str, float]:
    """The numbers of a sample under the names of events.Sampled; what was not seen is left out."""
    values: dict[str, float | None] = {
        "cpu_pct": sample.cpu_pct,
        "load_1m": sample.load_1m,
        "memory_used_bytes": sample.memory_used_bytes,
        "memory_total_bytes": sample.memory_total_bytes,
        "swap_used_bytes": sample.swap_used_bytes,
        "swap_total_bytes": sample.swap_total_bytes,
    }
    for mount, (used, total) in sample.disks.items():
        values[f"disk_used_bytes:{mount}"] = used
        values[f"disk_total_bytes:{mount}"] = total
    for service, seen in sample.services.items():
        values[f"restarts:{service}"] = seen.restarts
    return {name: float(value) for name, value in values.items() if value is not None}


class Fleet(Mapping[str, NodeView]):
    """All nodes and databases of an inventory, watched once a second from `start` to `close`."""

    def __init__(self, inventory: Inventory, *, clock: Callable[[], float] = time.time) -> None:
        self.inventory = inventory
        self.clock = clock
        self.nodes = {name: SshNode(name, spec) for name, spec in inventory.nodes.items()}
        self.databases = {
            name: DatabaseLink(name, spec, self.nodes[spec.node]) for name, spec in inventory.databases.items()
        }
        monitoring = inventory.monitoring
        self.alertmanager: Alertmanager | None = None
        """The Alertmanager of the inventory; None: there is none, or a stand-in, which cannot speak for all alerts."""
        if monitoring and not monitoring.stand_in:
            through = self.nodes[monitoring.node] if monitoring.node else None
            self.alertmanager = Alertmanager(monitoring.alertmanager, through)
        self._watched = {name: _Watched() for name in self.nodes}
        self._listeners: list[Listener] = []
        self._heard = asyncio.Event()
        """Set while anybody listens."""
        self._tasks: list[asyncio.Task[None]] = []

    def node(self, name: str) -> SshNode:
        """The connection to that node."""
        return self.nodes[name]

    def database(self, name: str) -> DatabaseLink:
        """The connection to that database."""
        return self.databases[name]

    def nodes_of(self, probe: AnyProbe) -> set[str]:
        """The nodes without which the probe has no answer."""
        if isinstance(probe, (SqlProbe, ConnectionsProbe)):
            return {self.inventory.databases[probe.database].node}
        return {getattr(probe, name) for name in ("node", "from_node", "peer") if getattr(probe, name, "")}

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with a node's name whenever something new is known of it; returns how to stop that."""
        self._listeners.append(listener)
        self._heard.set()
        self.want(self.nodes)

        def stop() -> None:
            self._listeners.remove(listener)
            if not self._listeners:
                self._heard.clear()

        return stop

    def want(self, names: Iterable[str]) -> None:
        """Take the numbers of these nodes and their databases from now on, even while nobody listens."""
        for name in names:
            self._watched[name].wanted.set()

    def view(self, name: str) -> NodeView:
        """What is known of the node now."""
        node, watched = self.nodes[name], self._watched[name]
        return NodeView(
            name=name,
            spec=node.spec,
            up=node.up,
            why=node.why,
            seen_at_s=node.seen_at_s,
            sample=watched.sample,
            history={metric: tuple(points) for metric, points in watched.history.items()},
            connections=next(iter(watched.connections.values()), None),
            connections_at_s=watched.connections_at_s,
            traces=watched.traces,
            traces_at_s=watched.traces_at_s,
            has=watched.has if node.up else None,
        )

    def __getitem__(self, name: str) -> NodeView:
        return self.view(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    async def start(self) -> None:
        """Begin to watch; returns at once.

        A node gives its numbers once they are wanted. Guards, leftovers and needs are looked for only while somebody
        listens: that costs a node as much as all else.
        """
        for name in self.nodes:
            self._spawn(self._watch_node(name))
            self._spawn(self._watch_traces(name))
            self._spawn(self._watch_needs(name))
        for name in self.databases:
            self._spawn(self._watch_database(name))

    async def close(self) -> None:
        """Stop watching and hang up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(link.close() for link in self.databases.values()), return_exceptions=True)
        await asyncio.gather(*(node.close() for node in self.nodes.values()), return_exceptions=True)

    def _spawn(self, work: object) -> None:
        self._tasks.append(asyncio.create_task(work))  # type: ignore[arg-type]

    def _tell(self, name: str) -> None:
        for listener in tuple(self._listeners):
            listener(name)

    async def _watch_node(self, name: str) -> None:
        watched = self._watched[name]
        await watched.wanted.wait()
        async for sample in samples(self.nodes[name], lease_s=self.inventory.lease_s):
            watched.sample = sample
            for metric, value in sample_values(sample).items():
                watched.add(metric, sample.at_s, value)
            if sample.memory_used_bytes is not None and sample.memory_total_bytes:
                used_pct = 100.0 * sample.memory_used_bytes / sample.memory_total_bytes
                watched.add("memory_used_pct", sample.at_s, used_pct)
            self._tell(name)

    async def _watch_traces(self, name: str) -> None:
        while await self._heard.wait():
            found = await self.look_for_traces(name)
            held = any(trace.state == "held" for trace in found or ())
            await asyncio.sleep(HELD_EVERY_S if held else TRACE_EVERY_S)

    async def look_for_traces(self, name: str) -> tuple[Trace, ...] | None:
        """Ask the node now which guards and leftovers stand on it; None where it cannot be told."""
        try:
            self._watched[name].traces = tuple(await survey(self.nodes[name]))
            self._watched[name].traces_at_s = self.clock()
        except NodeUnreachable:
            self._watched[name].traces = None
        self._tell(name)
        return self._watched[name].traces

    async def _watch_needs(self, name: str) -> None:
        while await self._heard.wait():
            known = await self.look_for_needs(name) is not None
            await asyncio.sleep(NEEDS_EVERY_S if known else 2.0)

    async def look_for_needs(self, name: str) -> dict[str, Answer] | None:
        """Ask the node now what it has of all that faults need; None where it cannot be told."""
        try:
            self._watched[name].has = await capabilities(self.nodes[name])
        except NodeUnreachable:
            self._watched[name].has = None
        self._tell(name)
        return self._watched[name].has

    async def _watch_database(self, name: str) -> None:
        link = self.databases[name]
        watched = self._watched[link.spec.node]
        await watched.wanted.wait()
        while True:
            counts = await link.try_connections()
            if counts is not None:
                now, most, _ = counts
                watched.connections[name] = (now, most)
                watched.connections_at_s = self.clock()
                watched.add("connections", watched.connections_at_s, now)
                watched.add(f"connections:{name}", watched.connections_at_s, now)
                watched.add(f"connections_max:{name}", watched.connections_at_s, most)
                self._tell(link.spec.node)
            await asyncio.sleep(1.0)
