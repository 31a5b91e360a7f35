"""The one sentence that is said below 80x24."""

from __future__ import annotations

from typing import Final

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

LEAST: Final = Size(80, 24)


def fits(size: Size) -> bool:
    """Whether the console can be shown in that many columns and rows."""
    return size.width >= LEAST.width and size.height >= LEAST.height


class TooSmall(Widget):
    """Covers the screen while the terminal is too small; everything behind it goes on."""

    def render(self) -> Content:
        """The sentence."""
        size = self.app.size
        return Content(
            f"The console needs {LEAST.width}x{LEAST.height}, this terminal has {size.width}x{size.height}: "
            "make it larger. Everything goes on; ctrl+x still aborts."
        )
