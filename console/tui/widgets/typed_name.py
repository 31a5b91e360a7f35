"""The input for the node's name: keys only. What is pasted was not thought about."""

from __future__ import annotations

from textual import events
from textual.widgets import Input

REFUSED = "Type the name: a paste is not taken here."


class TypedName(Input):
    """Takes key presses, and no paste of any kind."""

    HELP = "Type the name of the node that is hit, then ctrl+g launches. Pasting is refused."

    def _on_paste(self, event: events.Paste) -> None:
        """Refuse what the terminal pastes."""
        event.prevent_default()
        event.stop()
        self.app.notify(REFUSED, severity="warning")

    def action_paste(self) -> None:
        """Refuse what the app's own clipboard would paste."""
        self.app.notify(REFUSED, severity="warning")
