"""A node as it is known now, and its newest numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from console.plan.inventory import Node
from console.plot.series import Point


class ServiceSample(Protocol):
    """A service as the node's service manager sees it."""

    @property
    def active(self) -> str: ...  # noqa: D102
    @property
    def restarts(self) -> int | None: ...  # noqa: D102


class NodeSample(Protocol):
    """The newest numbers of a node; None or a missing key: not seen."""

    @property
    def at_s(self) -> float: ...  # noqa: D102
    @property
    def cpu_pct(self) -> float | None: ...  # noqa: D102
    @property
    def memory_used_bytes(self) -> int | None: ...  # noqa: D102
    @property
    def memory_total_bytes(self) -> int | None: ...  # noqa: D102
    @property
    def disks(self) -> Mapping[str, tuple[int, int]]:
        """Mount point -> used and total bytes."""
        ...

    @property
    def services(self) -> Mapping[str, ServiceSample]:
        """By the inventory's name of the service."""
        ...


class NodeView(Protocol):
    """A node as it is known now."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def spec(self) -> Node: ...  # noqa: D102
    @property
    def up(self) -> bool: ...  # noqa: D102
    @property
    def why(self) -> str:
        """Why it is down; empty while it is up."""
        ...

    @property
    def seen_at_s(self) -> float | None:
        """When anything was last heard of it, on the console's clock."""
        ...

    @property
    def sample(self) -> NodeSample | None: ...  # noqa: D102
    @property
    def history(self) -> Mapping[str, Sequence[Point]]:
        """`cpu_pct`, `memory_used_pct`, `connections` -> points, a few minutes of them."""
        ...

    @property
    def connections(self) -> tuple[int, int] | None:
        """Database connections now and the most that there can be; None: no database there, or not seen."""
        ...

    @property
    def connections_at_s(self) -> float | None: ...  # noqa: D102
    @property
    def trace(self) -> str:
        """`held by run X, operator Y` or what a run left over; empty: nothing."""
        ...

    @property
    def lease_left_s(self) -> float | None: ...  # noqa: D102

    def lease_left_at(self, now_s: float) -> float | None: ...  # noqa: D102
