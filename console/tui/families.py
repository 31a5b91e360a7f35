"""Which of a run's numbers the four charts show; the ones that matter most come first."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from console.plot.series import Point, bounds, steps
from console.state import RunState
from console.terms import Phase


class Series(msgspec.Struct, frozen=True):
    """A line on a chart."""

    label: str
    points: tuple[Point, ...]
    low: float
    high: float
    unit: str = ""
    total: float = 0.0
    """What the newest value is a part of, for the words beside it; 0: nothing."""
    named: tuple[str, ...] = ()
    """What the values 0, 1, ... are called; empty: they are numbers."""

    @property
    def value(self) -> str:
        """The newest value in words.

        >>> Series("x", ((0.0, 12.0),), 0, 60, "", 60).value
        '12 of 60'
        """
        if not self.points:
            return "?"
        if self.named:
            return self.name(self.points[-1][1])
        newest = f"{self.points[-1][1]:.0f}{self.unit}"
        return f"{newest} of {self.total:.0f}" if self.total else newest

    def name(self, value: float) -> str:
        """A value as the axis says it.

        >>> Series("x", (), 0, 1, named=("no", "yes")).name(1.0), Series("x", (), 0, 60, " %").name(60.0)
        ('yes', '60%')
        """
        return self.named[round(value)] if self.named else f"{value:g}{self.unit.strip()}"


FAMILIES = ("connections", "memory", "disk", "restarts")
"""The charts of a run about which nothing more is known."""
BY_FAULT = {
    "process-signal": ("answers", "memory", "connections", "restarts"),
    "service-restart": ("answers", "memory", "cpu", "restarts"),
    "network-partition": ("answers", "connections", "cpu", "restarts"),
    "disk-fill": ("disk", "answers", "memory", "restarts"),
    "memory-pressure": ("memory", "swap", "cpu", "restarts"),
    "cpu-pressure": ("cpu", "load", "memory", "restarts"),
    "node-reboot": ("answers", "connections"),
    "call-errors": ("answers", "cpu", "memory", "restarts"),
    "store-disk-full": ("writes", "disk", "memory", "restarts"),
    "store-unmounted": ("writes", "disk", "memory", "restarts"),
    "store-read-only": ("writes", "disk", "memory", "restarts"),
    "store-second-opener": ("writes", "cpu", "memory", "restarts"),
}
"""Kind of fault -> its charts; those of a reboot leave room for the order in which it came back."""


def charts(state: RunState) -> tuple[str, ...]:
    """The families that tell most of this run.

    >>> charts(RunState())
    ('connections', 'memory', 'disk', 'restarts')
    """
    kind = re.match(r"[a-z-]*", state.started.fault if state.started else "")
    return BY_FAULT.get(kind[0] if kind else "", FAMILIES)


def families(state: RunState) -> dict[str, list[Series]]:
    """For each chart its series, those of the hit nodes and those that moved first."""
    return {
        "connections": _ordered(state, _ratio(state, "connections:", "connections_max:", percent=False)),
        "memory": _ordered(state, _ratio(state, "memory_used_bytes", "memory_total_bytes", percent=True)),
        "swap": _ordered(state, _swap(state)),
        "disk": _ordered(state, _ratio(state, "disk_used_bytes:", "disk_total_bytes:", percent=True, zoom=True)),
        "restarts": _ordered(state, _restarts(state)),
        "cpu": _ordered(state, _plain(state, "cpu_pct", 100.0, " %")),
        "load": _ordered(state, _plain(state, "load_1m")),
        "answers": _ordered(state, _answers(state)),
        "writes": _writes(state),
    }


def reboots(state: RunState) -> bool:
    """Whether the run makes a node boot again, so that there is an order of services to show."""
    return bool(state.started and state.started.fault.startswith("node-reboot"))


def _ordered(state: RunState, found: list[tuple[str, Series]]) -> list[Series]:
    targets = state.started.targets if state.started else ()
    services = f"{state.started.fault} {state.started.scenario}" if state.started else ""

    def rank(item: tuple[str, Series]) -> tuple[bool, bool, float]:
        node, series = item
        values = [value for _, value in series.points]
        moved = (max(values) - min(values)) / (abs(series.high - series.low) or 1.0)
        return (node not in targets, series.label.split()[-1] not in services, -round(moved, 2))

    return [series for _, series in sorted(found, key=rank)]


def _ratio(state: RunState, used: str, most: str, *, percent: bool, zoom: bool = False) -> list[tuple[str, Series]]:
    found = []
    for key, points in state.metrics.items():
        node, _, name = key.partition("/")
        if not name.startswith(used):
            continue
        rest = name.removeprefix(used)
        total = next((value for _, value in reversed(state.metrics.get(f"{node}/{most}{rest}", ()))), 0.0)
        label = f"{node} {rest}".strip()
        if percent and total:
            share = tuple((at_s, value / total * 100) for at_s, value in points)
            low, high = _zoomed(share) if zoom else (0.0, 100.0)
            found.append((node, Series(label, share, low, high, " %")))
        elif not percent:
            low, high = bounds([value for _, value in points], ceiling=total or None)
            found.append((node, Series(label, points, low, high, "", total)))
    return found


def _swap(state: RunState) -> list[tuple[str, Series]]:
    """How much of each node's swap is used; a node without any is told in words: nothing of it can be used."""
    without = [
        (key.partition("/")[0], Series(key.partition("/")[0], points, 0.0, 1.0, named=("none", "")))
        for key, points in state.metrics.items()
        if key.partition("/")[2] == "swap_total_bytes" and not any(total for _, total in points)
    ]
    return [*_ratio(state, "swap_used_bytes", "swap_total_bytes", percent=True), *without]


def _zoomed(points: Sequence[Point]) -> tuple[float, float]:
    """Close enough to see a change, far enough that noise stays small: at least ten points of a hundred."""
    values = [value for _, value in points]
    low, high = bounds([min(values) - 2, max(values) + 8], floor=None)
    return (max(0.0, low), min(100.0, high))


def _restarts(state: RunState) -> list[tuple[str, Series]]:
    found = []
    for key, points in state.metrics.items():
        node, _, name = key.partition("/")
        if name.startswith("restarts:"):
            low, high = bounds([value for _, value in points])
            found.append((node, Series(f"{node} {name.removeprefix('restarts:')}", steps(points), low, max(high, 2.0))))
    return found


def _plain(state: RunState, metric: str, ceiling: float | None = None, unit: str = "") -> list[tuple[str, Series]]:
    found = []
    for key, points in state.metrics.items():
        node, _, name = key.partition("/")
        if name == metric:
            low, high = bounds([value for _, value in points], ceiling=ceiling)
            found.append((node, Series(node, points, low, high, unit)))
    return found


def _answers(state: RunState) -> list[tuple[str, Series]]:
    return [
        (key.partition("/")[0], Series(key.partition(":")[2], steps(points), 0.0, 1.0, named=("no", "yes")))
        for key, points in state.metrics.items()
        if key.partition("/")[2].startswith("answers:")
    ]


def _writes(state: RunState) -> list[Series]:
    """Of each store the records that it refused, once there are any, and those that it acknowledged, a second."""
    found = []
    for key, points in state.metrics.items():
        what, _, store = key.partition("/")[2].partition(":")
        values = [value for _, value in points]
        if what in ("acknowledged", "refused") and (what == "acknowledged" or any(values)):
            low, high = bounds(values)
            found.append((store, what, Series(f"{store} {what}", points, low, max(high, 2.0), "/s")))
    return [series for _, _, series in sorted(found, key=lambda item: item[:2])]


def fault_window(state: RunState, now_s: float) -> tuple[float, float] | None:
    """From the injection until the fault is taken back; of a blow until its target was back."""
    start_s = state.injected_at_s
    if start_s is None or state.started is None:
        return None
    if not state.started.fault_lasts_s and state.recovery:
        return (start_s, start_s + state.recovery.seconds)
    return (start_s, state.reverted_at_s or now_s)


LEAD_S = 20.0
"""How much of the time before the arming the charts show, in seconds."""


def chart_span(state: RunState, now_s: float, least_s: float = 60.0) -> tuple[float, float]:
    """The span of time that the charts show: from just before the guards were armed to the end of the machine's part.

    A long wait for signatures would squeeze the fault into a few columns.
    """
    first_s = min((points[0][0] for points in state.metrics.values() if points), default=now_s)
    armed_s = state.entered(Phase.ARM)
    first_s = max(first_s, (armed_s or now_s) - LEAD_S)
    if state.conclusion:
        return (first_s, max(state.conclusion.at_s, first_s + 1.0))
    return (first_s, max(now_s, first_s + least_s))
