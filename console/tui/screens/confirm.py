"""Confirm: what is hit, how far it reaches, what abort would do, and the way back by hand; typing the name launches."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from console.tui import keys, words
from console.tui.ports.run import RunHandle
from console.tui.screens.blocked import BlockedDialog
from console.tui.screens.page import Page
from console.tui.widgets.typed_name import TypedName


class ConfirmScreen(Page):
    """The last screen before the fault."""

    CSS_PATH = "confirm.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.CONFIRM]
    HELP = (
        "# Launch\nType the name of the node that is hit, then press ctrl+g. Everything is armed and the "
        "baseline is checked before the fault is let go."
    )

    def __init__(self, handle: RunHandle) -> None:
        super().__init__()
        self.handle = handle
        self.PLACE = f"{handle.plan.scenario.name} ▸ Launch"
        self._launching = False
        self._why_not = ""
        """Why the last try did not launch; what pops up goes away again."""

    def body(self) -> ComposeResult:
        """What is about to happen above, the name below, always in view."""
        with VerticalScroll(id="told"):
            yield Static(id="target", classes="card")
            yield Static(id="abort", classes="card")
            yield Static(id="hand", classes="card")
        with Vertical(id="typed"):
            yield Static(id="ask")
            yield TypedName(id="name")

    def on_mount(self) -> None:
        """Titles; type at once."""
        for id_, title in (
            ("target", "what happens"),
            ("abort", "what abort does (ctrl+x, on every screen)"),
            ("hand", " by hand, if this console dies "),
        ):
            self.query_one(f"#{id_}").border_title = title
        self.query_one("#hand").border_subtitle = " f4 copies "
        self.query_one(TypedName).focus()

    def paint(self, now_s: float) -> None:
        """All of it; the plan does not change any more."""
        plan = self.handle.plan
        lines = [
            Content.assemble(
                ("▶ ", words.WARN),
                (action.fault.summary, "bold"),
                " on ",
                (action.node, "bold"),
                "\n",
                action.blast_radius,
            )
            for action in plan.actions
        ]
        if plan.trials > 1:
            more = f"▶ {plan.trials} trials: this launch is for all; after the first the others begin by themselves"
            lines.append(words.text(more, f"bold {words.WARN}"))
        armed = ", ".join(node.name for node in plan.nodes)
        lines.append(words.text(f"armed first: {armed}; lease {plan.lease_s:g} s", words.QUIET))
        if plan.window:
            lines.append(words.text(f"maintenance window: {plan.window}", words.QUIET))
        self.query_one("#target", Static).update(Content("\n").join(lines))
        self.query_one("#abort", Static).update(Content("\n").join(self.handle.abort_preview()))
        hand = self.query_one("#hand", Static)
        by_hand = [
            Content.assemble((node, "bold $text-primary"), "\n", words.pasteable(line, hand.content_size.width))
            for node, line in self.handle.hand_reverts().items()
        ]
        hand.update(Content("\n").join(by_hand))
        self._ask()

    def _ask(self) -> None:
        word, typed = self.handle.launch_word, self.query_one(TypedName).value
        if self._launching:
            self.query_one("#ask", Static).update(
                words.text("◐ looking at everything once more, then launching", words.WARN)
            )
            return
        if self._why_not:
            said = Content.assemble(
                (f"✗ not launched: {self._why_not}. ", words.BAD), ("ctrl+g", "bold"), " tries again."
            )
        elif typed == word:
            said = Content.assemble(("● ", words.GOOD), ("ctrl+g", "bold"), f" launches on {word}. Nothing else does.")
        else:
            said = Content.assemble(
                "Type ",
                (word, "bold $text-warning"),
                ", then press ",
                ("ctrl+g", "bold"),
                " to launch. Esc leaves without a launch.",
            )
        self.query_one("#ask", Static).update(said)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say how far one is."""
        self._why_not = ""
        self._ask()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter does not launch: a pasted line ends with one."""
        self.app.notify("Enter does not launch: press ctrl+g.")

    def on_paste(self, event: events.Paste) -> None:
        """A paste beside the input is nothing either."""
        event.stop()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Read-only has no launch."""
        return not self.console_app.session.read_only if action == "launch" else True

    def action_copy(self) -> None:
        """The commands that revert by hand."""
        self.console_app.copy_out("\n".join(self.handle.hand_reverts().values()), "The commands that revert by hand")

    def action_launch(self) -> None:
        """Launch once, with the right name, and with nothing in the way."""
        typed, word = self.query_one(TypedName).value, self.handle.launch_word
        if typed != word:
            self.app.notify(
                f"Type {word} first: the line {f'says {typed}' if typed else 'is empty'}.",
                severity="warning",
                markup=False,
            )
            return
        if self.handle.can_launch():
            self.app.push_screen(BlockedDialog(self.handle))
            return
        if self._launching:
            return
        self._launching, self._why_not = True, ""
        self._ask()
        app = self.console_app

        async def launch() -> None:
            try:
                await self.handle.launch(typed)
            except BaseException as error:
                self._launching = False
                self._why_not = str(error) or type(error).__name__
                self._ask()
                raise
            if app.screen is self:
                app.show_launched(self.handle)

        app.work_on(launch())
