"""The event log: a line an event, with T+; it follows the newest unless one scrolls up."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import RenderOptions

from console.events import AnyEvent
from console.tui import words
from console.tui.narrate import describe


class EventLog(ScrollView, can_focus=True):
    """Every event but the samples."""

    HELP = "Everything that happened, with its time from the injection. Scroll with the arrow keys; at the end it follows."

    def __init__(self) -> None:
        super().__init__(id="log", classes="card")
        self.border_title = "events"
        self._events: Sequence[AnyEvent] = ()
        self._zero_s: float | None = None

    def show(self, events: Sequence[AnyEvent], zero_s: float | None) -> None:
        """Show these."""
        if len(events) == len(self._events) and zero_s == self._zero_s and (not events or events[-1] is self._events[-1]):
            return
        follow = self.max_scroll_y - self.scroll_offset.y <= 1 or len(events) < len(self._events)
        self._events, self._zero_s = events, zero_s
        widest = max((self._line(event).cell_length for event in events), default=0)
        self.virtual_size = Size(widest, len(events))
        if follow:
            self.call_after_refresh(self.scroll_end, animate=False, x_axis=False)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """A line of the visible part."""
        x, top = self.scroll_offset
        width = self.scrollable_content_region.width
        index = y + top
        if index >= len(self._events):
            return Strip.blank(width, self.rich_style)
        line = self._line(self._events[index])
        options = RenderOptions(self._get_style, self.styles)
        strips = line.truncate(max(line.cell_length, x + width), pad=True).render_strips(
            max(line.cell_length, x + width), 1, self.visual_style, options
        )
        return strips[0].crop(x, x + width)

    def _line(self, event: AnyEvent) -> Content:
        glyph, told, style = describe(event)
        when = words.t_plus(event.at_s, self._zero_s) or words.clock(event.at_s)
        return Content.assemble((when.rjust(8), words.QUIET), (f" {glyph} ", style), (told, style))
