"""A chart as rows of text: plotext draws the line, without colours, frame or a figure that is shared."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from plotext._figure import _figure_class

from console.plot.series import GAP_S, Point, bounds, segments, thin, within

ESCAPE = "\x1b[0m"
"""plotext ends every row with it, also with its `clear` theme."""


class Frame(msgspec.Struct, frozen=True):
    """The rectangle of time and value that a chart shows."""

    start_s: float
    end_s: float
    low: float
    high: float

    def column(self, at_s: float, width: int) -> int:
        """The column of an instant; it may lie outside 0..width-1.

        >>> Frame(0, 100, 0, 1).column(50, 11)
        5
        """
        return round((at_s - self.start_s) / max(self.end_s - self.start_s, 1e-9) * (width - 1))


def frame_for(
    points: Sequence[Point], start_s: float, end_s: float, *, floor: float | None = 0.0, ceiling: float | None = None
) -> Frame:
    """The frame for those points: the given span, and values that read well."""
    low, high = bounds([value for _, value in within(points, start_s, end_s)], floor=floor, ceiling=ceiling)
    return Frame(start_s, end_s, low, high)


def draw(points: Sequence[Point], frame: Frame, width: int, height: int, *, gap_s: float = GAP_S) -> list[str]:
    """`height` rows of `width` block characters. Nothing is drawn over a span longer than `gap_s` without a point."""
    if width < 2 or height < 1:
        return [" " * max(width, 0)] * max(height, 0)
    figure = _figure_class()
    figure.theme("clear")
    figure.plot_size(width, height)
    figure.frame(False)
    figure.xaxes(False, False)
    figure.yaxes(False, False)
    figure.xfrequency(0)
    figure.yfrequency(0)
    figure.xlim(frame.start_s, frame.end_s)
    figure.ylim(frame.low, frame.high)
    drawn = False
    for segment in segments(within(points, frame.start_s, frame.end_s), gap_s):
        thinned = thin(segment, frame.start_s, frame.end_s, width)
        draw_segment = figure.plot if len(thinned) > 1 else figure.scatter
        draw_segment([p[0] for p in thinned], [p[1] for p in thinned], marker="hd")
        drawn = True
    if not drawn:
        return [" " * width] * height
    rows = figure.build().replace(ESCAPE, "").splitlines()
    return [row[:width].ljust(width) for row in rows[:height]] + [" " * width] * (height - len(rows))
