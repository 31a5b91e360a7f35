"""All that stands in the way of a launch, at once; each with its fix and a key that checks it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from console.terms import Status
from console.tui import keys, words
from console.tui.ports.run import RunHandle
from console.tui.screens.dialog import Dialog, PromptDialog
from console.tui.widgets.key_footer import KeyFooter

if TYPE_CHECKING:
    from console.tui.app import GamedayApp


class BlockedDialog(Dialog[None]):
    """Follows the checks while it is open."""

    BINDINGS: ClassVar[list[BindingType]] = [*keys.BLOCKED]
    HELP = "Every reason why nothing launches. The number's key checks that reason again."

    def __init__(self, handle: RunHandle) -> None:
        super().__init__()
        self.handle = handle

    def compose(self) -> ComposeResult:
        """The reasons."""
        with VerticalScroll(classes="dialog"):
            yield Static(id="reasons")
        yield KeyFooter()

    def on_mount(self) -> None:
        """Follow."""
        self._show()
        self.set_interval(0.5, self._show)

    def _show(self) -> None:
        blockers = self.handle.can_launch()
        count = len(blockers)
        self.query_one(VerticalScroll).border_title = (
            f"{count} {'reason' if count == 1 else 'reasons'} not to launch" if count else "ready"
        )
        lines = []
        for number, blocker in enumerate(blockers, 1):
            key = str(number) if number <= 9 else " "
            lines.append(
                Content.assemble(
                    (f" {key} ", "bold reverse"),
                    " ",
                    ("✗ ", words.BAD),
                    (blocker.what, "bold"),
                    "\n      ",
                    (blocker.fix, words.QUIET),
                )
            )
        ask = (
            "The number checks it again; esc goes back."
            if count
            else "✓ Nothing stands in the way any more: esc, then c."
        )
        self.query_one("#reasons", Static).update(
            Content("\n\n").join([*lines, words.text(ask, words.QUIET if count else words.GOOD)])
        )

    def action_recheck(self, number: int) -> None:
        """Check one again; what only a person knows is asked for."""
        blockers = self.handle.can_launch()
        if not 0 < number <= len(blockers):
            return
        app = cast("GamedayApp", self.app)
        item = self.handle.state.pre.get(blockers[number - 1].recheck)
        if item is None or item.brief.automatic:
            app.work_on(self.handle.recheck(blockers[number - 1].recheck), self._show)
            return

        def take(note: str | None) -> None:
            if note:
                app.work_on(self.handle.tick(item.brief.id, note, Status.PASS), self._show)

        app.push_screen(
            PromptDialog(f"tick: {item.brief.title}", "This one the console cannot verify. How do you know?"), take
        )
