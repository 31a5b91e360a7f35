"""The top line of every screen: where one is, the run that is led, what waits, the time."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from console.state import RunState
from console.tui import words
from console.tui.narrate import headline


class TitleBar(Widget):
    """One line; on the left the place, on the right the run, the outbox and the clock."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place
        self._line = Content()

    def show(
        self,
        *,
        name: str,
        now_s: float,
        outbox: int,
        read_only: bool,
        led: RunState | None,
        guards: dict[str, float | None],
    ) -> None:
        """Put the line together; repaint only when it changed."""
        left = Content.assemble(
            ("gameday", "bold $text-primary"), (" ▸ ", words.QUIET), (self.place, "bold"), (f"  {name}", words.QUIET)
        )
        short = words.text(self.place, "bold")
        parts: list[Content] = []
        if led and led.started and not led.ended:
            head = headline(led, now_s)
            parts.append(
                words.text(f"▶ {led.started.run} {head.phase} {head.time}".rstrip(), f"{head.tone} bold".strip())
            )
            held = [
                f"{node} {words.whole_seconds(left_s)}" if left_s is not None else f"{node} ?"
                for node, left_s in guards.items()
            ]
            if held:
                parts.append(Content.assemble(("guard ", words.QUIET), ", ".join(held)))
        if read_only:
            parts.append(words.text("read-only", words.WARN))
        if outbox:
            parts.append(words.text(f"○ {outbox} write-up{'s' * (outbox > 1)} queued", words.WARN))
        parts.append(words.text(words.clock(now_s), words.QUIET))
        right = Content("   ").join(parts)
        width = max(0, self.size.width - 2)
        room = max(0, width - right.cell_length - 1)
        line = words.fit(left if left.cell_length <= room else short, room) + Content(" ") + right
        if not line.is_same(self._line):
            self._line = line
            self.refresh()

    def render(self) -> Content:
        """The line as it is."""
        return self._line
