"""A node of the practice lab, with made-up numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from console.plan.inventory import Node
from console.plot.series import Point
from tests.ui.recordings import START_S


@dataclass(frozen=True)
class FakeService:
    active: str = "active"
    restarts: int | None = 0


@dataclass(frozen=True)
class FakeSample:
    at_s: float
    cpu_pct: float | None = 31.0
    memory_used_bytes: int | None = 9_400_000_000
    memory_total_bytes: int | None = 16_000_000_000
    disks: Mapping[str, tuple[int, int]] = field(default_factory=lambda: {"/": (212_000_000_000, 480_000_000_000)})
    services: Mapping[str, FakeService] = field(default_factory=dict)


@dataclass(frozen=True)
class FakeNode:
    name: str
    spec: Node
    up: bool = True
    why: str = ""
    seen_at_s: float | None = START_S
    sample: FakeSample | None = None
    history: Mapping[str, Sequence[Point]] = field(default_factory=dict)
    connections: tuple[int, int] | None = None
    connections_at_s: float | None = None
    trace: str = ""
    lease_left_s: float | None = None

    def lease_left_at(self, now_s: float) -> float | None:
        """As it was told."""
        return self.lease_left_s


def wave(
    base: float, swing: float, *, every_s: float = 2.0, now_s: float = START_S, hole: tuple[float, float] = (0, 0)
) -> tuple[Point, ...]:
    """Two minutes of a trend; nothing was seen between `hole` seconds ago."""
    points = []
    for step in range(60, -1, -1):
        ago_s = step * every_s
        if not hole[1] < ago_s < hole[0]:
            points.append((now_s - ago_s, base + swing * math.sin(ago_s / 9) + swing / 3 * math.sin(ago_s / 2.3)))
    return tuple(points)
