"""Points as they are drawn: cut where nothing was seen, thinned so that spikes survive, with bounds that read well."""

from __future__ import annotations

import math
from collections.abc import Sequence

Point = tuple[float, float]
"""(seconds since the epoch, value)"""

GAP_S = 3.5
"""Two points further apart than this, in seconds, are not joined: what lies between was not seen."""


def segments(points: Sequence[Point], gap_s: float = GAP_S) -> list[list[Point]]:
    """The points cut into runs of what was seen without a gap.

    >>> segments([(0, 1), (1, 2), (9, 3)])
    [[(0, 1), (1, 2)], [(9, 3)]]
    """
    cut: list[list[Point]] = []
    for point in points:
        if cut and point[0] - cut[-1][-1][0] <= gap_s:
            cut[-1].append(point)
        else:
            cut.append([point])
    return cut


def steps(points: Sequence[Point]) -> tuple[Point, ...]:
    """A counter's points with its jumps upright: between two samples it still had the first one's value.

    >>> steps([(0, 1), (1, 1), (2, 0)])
    ((0, 1), (1, 1), (2, 1), (2, 0))
    """
    stepped: list[Point] = []
    for at_s, value in points:
        if stepped and stepped[-1][1] != value and at_s - stepped[-1][0] <= GAP_S:
            stepped.append((at_s, stepped[-1][1]))
        stepped.append((at_s, value))
    return tuple(stepped)


def within(points: Sequence[Point], start_s: float, end_s: float) -> list[Point]:
    """The points of a span of time, both ends included.

    >>> within([(0, 1), (1, 2), (2, 3)], 1, 2)
    [(1, 2), (2, 3)]
    """
    return [point for point in points if start_s <= point[0] <= end_s]


def thin(points: Sequence[Point], start_s: float, end_s: float, columns: int) -> list[Point]:
    """At most two points a column, its lowest and its highest in their order, so that a spike of one sample survives.

    >>> thin([(0, 5), (1, 5), (2, 99), (3, 5), (4, 5)], 0, 10, 2)
    [(0, 5), (2, 99)]
    >>> thin([(0, 1), (1, 1), (1, 0), (2, 0)], 0, 2, 1)
    [(0, 1), (1, 0)]
    """
    span_s = max(end_s - start_s, 1e-9)
    columned: dict[int, list[Point]] = {}
    for point in points:
        column = int((point[0] - start_s) / span_s * columns)
        columned.setdefault(min(columns - 1, max(0, column)), []).append(point)
    kept: list[Point] = []
    for here in columned.values():
        low, high = (pick(range(len(here)), key=lambda at: here[at][1]) for pick in (min, max))
        kept += [here[at] for at in sorted({low, high})]
    return kept


def bounds(values: Sequence[float], *, floor: float | None = 0.0, ceiling: float | None = None) -> tuple[float, float]:
    """A lowest and highest value for the axis: round numbers around what was seen, never a line flat on the frame.

    >>> bounds([3, 17])
    (0.0, 20.0)
    >>> bounds([41.2, 43.9], floor=None)
    (41.0, 44.0)
    >>> bounds([0, 0])
    (0.0, 1.0)
    >>> bounds([8, 57], ceiling=60)
    (0.0, 60.0)
    """
    if not values:
        return (0.0, 1.0)
    low, high = min(values), max(values)
    if floor is not None:
        low = min(low, floor)
    if ceiling is not None and high <= ceiling:
        return (float(low), float(ceiling))
    step = _nice((high - low) / 4 or abs(high) / 4 or 1.0)
    bottom, top = math.floor(low / step) * step, math.ceil(high / step) * step
    return (float(bottom), float(top)) if top > bottom else (float(bottom), float(bottom + step))


def _nice(step: float) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= step * 0.999)


BARS = "▁▂▃▄▅▆▇█"


def trend(points: Sequence[Point], *, now_s: float, width: int, per_column_s: float, low: float, high: float) -> str:
    """A line of bars for the last `width * per_column_s` seconds, each column's highest; spaces: not seen.

    >>> trend([(1, 0), (3, 50), (9, 100)], now_s=10, width=5, per_column_s=2, low=0, high=100)
    '▁▅  █'
    """
    start_s = now_s - width * per_column_s
    best: list[float | None] = [None] * width
    for at_s, value in points:
        column = int((at_s - start_s) // per_column_s)
        if 0 <= column < width:
            best[column] = value if best[column] is None else max(value, best[column] or 0.0)
    span = (high - low) or 1.0
    return "".join(
        " " if value is None else BARS[min(7, max(0, round((value - low) / span * 7 + 0.01)))] for value in best
    )
