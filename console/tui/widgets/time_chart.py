"""A chart over time: gaps where nothing was seen, the fault window marked by shade and by words."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from console.plot.chart import Frame, draw
from console.tui import words
from console.tui.families import Series

AXIS = 6
"""Columns of the axis on the left, where there is room for one."""


class TimeChart(Widget, can_focus=True):
    """One of the four charts; `m` shows its next series."""

    HELP = (
        "A chart. Holes are spans in which nothing was seen; the shaded span is the fault. `m` shows the next series."
    )
    COMPONENT_CLASSES: ClassVar[set[str]] = {"chart--line", "chart--axis", "chart--fault", "chart--mark"}

    def __init__(self, family: str) -> None:
        super().__init__(id=f"chart-{family}")
        self.family = family
        self.chosen = 0
        self._strips: list[Strip] = []
        self._drawn: object = None

    def next_series(self) -> None:
        """Show the next one at the next paint."""
        self.chosen += 1

    def show(
        self,
        series: list[Series],
        span: tuple[float, float],
        window: tuple[float, float] | None,
        now_s: float,
        zero_s: float | None,
    ) -> None:
        """Draw, if anything changed since the last time."""
        one = series[self.chosen % len(series)] if series else None
        which = f" ({self.chosen % len(series) + 1} of {len(series)})" if len(series) > 1 else ""
        room = self.size.width - 4
        title = f"{self.family} {one.label}{which}".strip() if one and room >= 34 else self.family
        self.border_title = title
        seen = words.aged(one.value, one.points[-1][0], now_s).plain if one else "not seen"
        self.border_subtitle = words.clip(seen, max(4, room))
        newest = one.points[-1] if one else None
        frame = Frame(*span, one.low, one.high) if one else None
        drawn = (newest, frame, window, self.content_size, self.app.theme, one.label if one else "", zero_s)
        if drawn == self._drawn:
            return
        self._drawn = drawn
        self._strips = self._draw(one, frame, window, zero_s) if one and frame else []
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """A row of the drawn chart."""
        if y < len(self._strips):
            return self._strips[y]
        return Strip.blank(self.content_size.width, self.rich_style)

    def _draw(
        self, series: Series, frame: Frame, window: tuple[float, float] | None, zero_s: float | None
    ) -> list[Strip]:
        size = self.content_size
        axis = AXIS if size.width >= 36 else 0
        width, height = size.width - axis, size.height - 1
        if width < 4 or height < 1:
            return []
        line, axis_style = self._style("line"), self._style("axis")
        columns = _columns(window, frame, width)
        strips = []
        for index, row in enumerate(draw(series.points, frame, width, height)):
            left = (
                Segment(_label(series, frame, index, height)[: axis - 1].rjust(axis - 1) + " ", axis_style)
                if axis
                else None
            )
            strips.append(
                Strip(
                    [*([left] if left else []), *_shaded(row, columns, line, self._style("line", "fault"))], size.width
                )
            )
        marks = _marks(frame, columns, width, zero_s)
        left = Segment(" " * axis, axis_style) if axis else None
        strips.append(
            Strip(
                [*([left] if left else []), *_shaded(marks, columns, axis_style, self._style("mark", "fault"))],
                size.width,
            )
        )
        return strips

    def _style(self, *names: str) -> Style:
        style = self.visual_style
        for name in names:
            style += self.get_visual_style(f"chart--{name}", partial=True)
        return style.rich_style


def _columns(window: tuple[float, float] | None, frame: Frame, width: int) -> range:
    """The columns of the fault window that lie on the chart; at least one, so that a short blow is seen."""
    if window is None:
        return range(0)
    first = max(0, frame.column(window[0], width))
    last = min(width - 1, max(first, frame.column(window[1], width)))
    return range(first, last + 1)


def _label(series: Series, frame: Frame, row: int, height: int) -> str:
    if row == 0:
        return series.name(frame.high)
    return series.name(frame.low) if row == height - 1 else ""


def _shaded(row: str, columns: range, plain: Style, shaded: Style) -> list[Segment]:
    if not columns:
        return [Segment(row, plain)]
    parts = (row[: columns.start], plain), (row[columns.start : columns.stop], shaded), (row[columns.stop :], plain)
    return [Segment(text, style) for text, style in parts if text]


def _marks(frame: Frame, columns: range, width: int, zero_s: float | None) -> str:
    """The line under the chart: what the ends stand for, and the fault's span in words or as a bar."""
    line = list("─" * width)
    ends = (_edge(frame.start_s, zero_s), _edge(frame.end_s, zero_s))
    if not columns or columns.start > len(ends[0]):
        line[: len(ends[0])] = ends[0]
    if not columns or columns.stop < width - len(ends[1]):
        line[width - len(ends[1]) :] = ends[1]
    for column in columns:
        line[column] = "━"
    word = "fault"
    if len(columns) >= len(word) + 2:
        start = columns.start + (len(columns) - len(word)) // 2
        line[start : start + len(word)] = word
    elif columns and columns.stop + len(word) + 1 < width - len(ends[1]):
        line[columns.stop : columns.stop + len(word) + 1] = "◂" + word
    elif columns and columns.start > len(word) + len(ends[0]) + 1:
        line[columns.start - len(word) - 1 : columns.start] = word + "▸"
    return "".join(line)[:width]


def _edge(at_s: float, zero_s: float | None) -> str:
    return words.clock(at_s) if zero_s is None else f"T{at_s - zero_s:+.0f}"
