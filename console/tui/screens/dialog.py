"""Small dialogs: what they share, and the one that asks for a line of text."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static, TextArea

from console.tui import keys
from console.tui.widgets.key_footer import KeyFooter

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer]):
    """Base of the dialogs: esc closes it and changes nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [*keys.CANCEL]
    CSS_PATH = "dialog.tcss"

    def action_cancel(self) -> None:
        """Close without an answer."""
        self.dismiss(None)


class PromptDialog(Dialog[str]):
    """Asks for one line; empty is not an answer."""

    HELP = "Type a line, enter takes it, esc closes without a change."

    def __init__(self, title: str, sentence: str, *, placeholder: str = "", value: str = "") -> None:
        super().__init__()
        self.heading, self.sentence, self.placeholder, self.value = title, sentence, placeholder, value

    def compose(self) -> ComposeResult:
        """Sentence and line."""
        with VerticalScroll(classes="dialog", can_focus=False) as box:
            box.border_title = self.heading
            box.border_subtitle = "enter takes it, esc cancels"
            yield Static(Content(self.sentence))
            yield Input(self.value, placeholder=self.placeholder, id="line")
        yield KeyFooter()

    def on_mount(self) -> None:
        """Type at once."""
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter."""
        if event.value.strip():
            self.dismiss(event.value.strip())
        else:
            self.app.notify("It cannot be empty.", severity="warning")


class PasteDialog(Dialog[str]):
    """Takes a text of several lines."""

    HELP = "Paste the text, ctrl+s takes it, esc closes without a change."
    BINDINGS: ClassVar[list[BindingType]] = [*keys.ACCEPT_TEXT]

    def __init__(self, title: str, sentence: str) -> None:
        super().__init__()
        self.heading, self.sentence = title, sentence

    def compose(self) -> ComposeResult:
        """Sentence and text."""
        with VerticalScroll(classes="dialog", can_focus=False) as box:
            box.border_title = self.heading
            yield Static(Content(self.sentence))
            yield TextArea(id="text")
        yield KeyFooter()

    def on_mount(self) -> None:
        """Paste at once."""
        self.query_one(TextArea).focus()

    def action_accept(self) -> None:
        """Take it."""
        text = self.query_one(TextArea).text.strip()
        if text:
            self.dismiss(text)


class QuestionDialog(Dialog[bool]):
    """Says what would happen; only its own key says yes. A paste, a click beside it or a lost focus says nothing."""

    def __init__(self, title: str, content: Content) -> None:
        super().__init__()
        self.heading, self.content_shown = title, content

    def compose(self) -> ComposeResult:
        """What would happen, and the two keys."""
        with VerticalScroll(classes="dialog -danger", can_focus=False) as box:
            box.border_title = self.heading
            yield Static(self.content_shown)
        yield KeyFooter()

    def on_paste(self, event: events.Paste) -> None:
        """A paste is no answer."""
        event.stop()

    def action_yes(self) -> None:
        """Yes."""
        self.dismiss(True)
