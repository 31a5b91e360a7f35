"""The event log: an event after the other, with T+; it follows the newest unless one scrolls up."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

from console.events import AnyEvent
from console.tui import words
from console.tui.narrate import describe

INDENT = 11
"""Columns of the time and the glyph."""


class EventLog(ScrollView, can_focus=True):
    """Every event but the samples."""

    HELP = (
        "Everything that happened, with its time from the injection. Scroll with the arrow keys; at the end it follows."
    )

    def __init__(self) -> None:
        super().__init__(id="log", classes="card")
        self.border_title = "events"
        self._lines: list[Content] = []
        self._events: Sequence[AnyEvent] = ()
        self._wrapped_for: tuple[float | None, int] = (None, 0)

    def show(self, events: Sequence[AnyEvent], zero_s: float | None) -> None:
        """Show these; long ones take several lines. Only what came after the last time is wrapped anew."""
        width = self.scrollable_content_region.width
        known = len(self._events)
        same = (zero_s, width) == self._wrapped_for and known <= len(events)
        same = same and (not known or events[known - 1] is self._events[-1])
        if same and known == len(events):
            return
        follow = self.max_scroll_y - self.scroll_offset.y <= 1 or not same
        new = [line for event in events[known if same else 0 :] for line in event_lines(event, zero_s, width)]
        self._lines = [*self._lines, *new] if same else new
        self._events, self._wrapped_for = events, (zero_s, width)
        self.virtual_size = Size(width, len(self._lines))
        if follow:
            self.call_after_refresh(self.scroll_end, animate=False, x_axis=False)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """A line of the visible part."""
        width = self.scrollable_content_region.width
        index = y + self.scroll_offset.y
        if index >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        return Visual.to_strips(self, words.fit(self._lines[index], width), width, 1, self.visual_style)[0]


def event_lines(event: AnyEvent, zero_s: float | None, width: int) -> list[Content]:
    """An event in lines of at most `width` cells, the words below one another."""
    glyph, told, style = describe(event)
    when = words.t_plus(event.at_s, zero_s) or words.clock(event.at_s)
    wrapped = words.text(told, style).wrap(max(10, width - INDENT))
    first = Content.assemble((when.rjust(8), words.QUIET), (f" {glyph} ", style), wrapped[0] if wrapped else "")
    return [first, *(Content(" " * INDENT) + line for line in wrapped[1:])]
