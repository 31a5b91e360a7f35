"""The keys that work here and now; drawn anew only when they change, not whenever they are asked for."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Footer

Keys = tuple[tuple[str, str, bool], ...]


class KeyFooter(Footer):
    """Textual's footer in one line, without its palette: a screen that is painted each second leaves it alone."""

    def __init__(self) -> None:
        super().__init__(show_command_palette=False, compact=True)
        self._drawn: Keys | None = None

    def compose(self) -> ComposeResult:
        """Remember what is drawn."""
        self._drawn = self._keys() if self._bindings_ready else None
        yield from super().compose()

    def bindings_changed(self, screen: Screen[object]) -> None:
        """Draw the keys if they are others than those that stand there."""
        if not self.is_attached or self._drawn != self._keys():
            super().bindings_changed(screen)

    def _keys(self) -> Keys:
        shown = (active for active in self.screen.active_bindings.values() if active.binding.show)
        return tuple((active.binding.key, active.binding.description, active.enabled) for active in shown)
