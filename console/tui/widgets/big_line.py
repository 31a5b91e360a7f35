"""The line that a whole room can read: phase, T+, what is expected next and its limit."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from console.tui import bigfont
from console.tui.narrate import Headline


class BigLine(Widget):
    """Big letters where they fit, else bold ones. The words are always the same."""

    def __init__(self) -> None:
        super().__init__()
        self._lines = Content()

    def show(self, head: Headline) -> None:
        """Say this."""
        self.tooltip = plain(head)
        lines = Content("\n").join(big_lines(head, self.content_size.width, self.content_size.height))
        if not lines.is_same(self._lines):
            self._lines = lines
            self.refresh()

    def render(self) -> Content:
        """The line as it is."""
        return self._lines


def plain(head: Headline) -> str:
    """The same in plain words.

    >>> plain(Headline("observe", "T+12 s", "health by T+30 s: 18 s"))
    'observe  T+12 s  health by T+30 s: 18 s'
    """
    return "  ".join(filter(None, (head.phase, head.time, head.next)))


def big_lines(head: Headline, width: int, height: int) -> list[Content]:
    """What fits into that many cells: two big lines, or one big and one bold, or two bold ones."""
    first = "  ".join(filter(None, (head.phase, head.time)))
    if height < bigfont.HEIGHT + 1:
        return [Content.styled(plain(head), f"bold {head.tone}".strip())]
    lines = _big(first, head.tone) if bigfont.width(first) <= width else []
    if not lines:
        lines = _big(head.time or head.phase, head.tone)
        first_told = head.phase if head.time else ""
    else:
        first_told = ""
    room = height - len(lines)
    if head.next and not first_told and room > bigfont.HEIGHT and bigfont.width(head.next) <= width:
        return [*lines, Content(), *_big(head.next, "")]
    return [
        *lines,
        *([Content()] if room > 1 else []),
        Content.styled("  ".join(filter(None, (first_told, head.next))), "bold"),
    ]


def _big(text: str, tone: str) -> list[Content]:
    return [Content.styled(line, tone) if tone else Content(line) for line in bigfont.big(text)]
