"""Leaving with something unfinished: says what becomes of the fault, or of the write-up."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content

from console.tui import keys, words
from console.tui.ports.run import RunHandle
from console.tui.screens.dialog import QuestionDialog


class LeaveDialog(QuestionDialog):
    """Asked only while a guard of this run may stand, or its write-up is not signed."""

    BINDINGS: ClassVar[list[BindingType]] = [*keys.LEAVE]
    HELP = "`y` leaves; esc stays."

    def __init__(self, handle: RunHandle) -> None:
        held = [name for name, node in handle.state.nodes.items() if node.held]
        if held:
            what = f"{' and '.join(held)} {'is' if len(held) == 1 else 'are'} armed by run {handle.plan.run}."
            itself = f"a node that hears nothing does it itself after {handle.plan.lease_s:g} s"
            then = f"Leaving ends the run as aborted. The fault is taken back; {itself}."
            if handle.progress:
                then += " No further trial is begun."
        elif handle.progress:
            what = f"{len(handle.progress.done)} of {handle.progress.trials} trials are done."
            then = "Leaving begins no other one; what was done is written up."
        else:
            what = f"The write-up of run {handle.plan.run} is not signed."
            then = (
                "Nothing of it is in thermal memory before it is signed, here or later by "
                f"`gameday runs sign {handle.plan.run} pass|fail`."
            )
        ask = Content.assemble("Press ", ("y", "bold"), " to leave, ", ("esc", "bold"), " to stay.")
        super().__init__("leave the console", Content("\n\n").join([words.text(what, "bold"), Content(then), ask]))
