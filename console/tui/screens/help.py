"""F1: what the focused pane is, and every key that works now."""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Markdown

from console.tui import keys
from console.tui.screens.dialog import Dialog
from console.tui.widgets.key_footer import KeyFooter


class HelpDialog(Dialog[None]):
    """The help, as Markdown."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    @classmethod
    def about(cls, screen: Screen[Any]) -> HelpDialog:
        """The help for what has the focus on that screen."""
        focused = screen.focused
        parts = [screen.HELP or ""]
        if focused is not None:
            panes = [node for node in focused.ancestors_with_self if isinstance(node, Widget) and node is not screen]
            parts.append(next((pane.HELP for pane in panes if pane.HELP), ""))
        rows = [
            f"| `{keys.shown(binding.key)}` | {binding.tooltip} |"
            for _, binding, enabled, _ in screen.active_bindings.values()
            if binding.id and enabled
        ]
        rows = list(dict.fromkeys(rows))
        return cls(
            "\n\n".join(
                filter(None, [*dict.fromkeys(parts), "\n".join(["| key | what it does |", "|---|---|", *rows])])
            )
        )

    def compose(self) -> ComposeResult:
        """The text."""
        with VerticalScroll(classes="dialog") as box:
            box.border_title = "help"
            box.border_subtitle = "esc or F1 closes"
            yield Markdown(self.text)
        yield KeyFooter()
