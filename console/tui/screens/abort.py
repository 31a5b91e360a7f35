"""Abort: says what it takes back and in how long, before its second key does it."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content

from console.tui import keys, words
from console.tui.ports.run import RunHandle
from console.tui.screens.dialog import QuestionDialog


class AbortDialog(QuestionDialog):
    """Comes up over every screen."""

    BINDINGS: ClassVar[list[BindingType]] = [*keys.CONFIRM_ABORT]
    HELP = "`y` takes the fault back now; esc closes this and the run goes on."

    def __init__(self, handle: RunHandle) -> None:
        lines = [Content.assemble(("◂ ", words.WARN), line) for line in handle.abort_preview()]
        after = words.text("The live view counts until that is proven. The run ends as aborted.", words.QUIET)
        ask = Content.assemble("Press ", ("y", "bold"), " to revert now, ", ("esc", "bold"), " to let the run go on.")
        super().__init__(f"abort run {handle.plan.run}", Content("\n").join([*lines, Content(), after, Content(), ask]))
