"""Approval: the line to paste, who has signed, who is missing, and for how long signatures count."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from console.events import ApprovalSeen
from console.tui import keys, words
from console.tui.ports import RunHandle
from console.tui.screens.blocked import BlockedDialog
from console.tui.screens.confirm import ConfirmScreen
from console.tui.screens.dialog import PasteDialog
from console.tui.screens.page import Page


class ApprovalScreen(Page):
    """Signatures arrive in the inbox folder, or are pasted."""

    CSS_PATH = "approval.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.APPROVAL]
    HELP = (
        "# Approval\nSend the line to an approver: it shows them the plan before it signs. Signatures are picked "
        "up by themselves; `p` takes a pasted one."
    )

    def __init__(self, handle: RunHandle) -> None:
        super().__init__()
        self.handle = handle
        self.PLACE = f"{handle.plan.scenario.name} ▸ Approval"

    def body(self) -> ComposeResult:
        """Head, line, signatures."""
        with VerticalScroll(can_focus=False):
            yield Static(id="head")
            yield Static(id="line", classes="card")
            yield Static(id="signed", classes="card")
            yield Static(id="foot")

    def on_mount(self) -> None:
        """Titles."""
        self.query_one("#line").border_title = " an approver runs "
        self.query_one("#line").border_subtitle = " y copies "
        self.query_one("#signed").border_title = "signatures"

    @property
    def sufficient(self) -> bool:
        """Whether it is enough."""
        settled = self.handle.state.approval
        return bool(settled and settled.sufficient)

    def paint(self, now_s: float) -> None:
        """What there is now."""
        handle, state = self.handle, self.handle.state
        policy, risk = handle.plan.policy, handle.plan.scenario.risk
        need = f"{policy.quorum} {policy.role}" if policy.quorum else "no"
        settled = (
            words.text("✓ sufficient", f"bold {words.GOOD}")
            if self.sufficient
            else words.text("○ waiting", f"bold {words.WARN}")
        )
        summary = state.approval.summary if state.approval else "no signature yet"
        self.query_one("#head", Static).update(
            Content.assemble(
                words.risk(risk), f" risk needs {need} approval    ", settled, (f"  {summary}", words.QUIET),
                ("\nplan digest ", words.QUIET), handle.plan.digest[:16],
                ("   any change of the plan voids every signature", words.QUIET),
                (f"\nmaintenance window {handle.plan.window}" if handle.plan.window else "", words.QUIET),
            )
        )  # fmt: skip
        line = self.query_one("#line", Static)
        line.update(Content(words.pasteable(handle.approve_line(), line.content_size.width)))
        self.query_one("#signed", Static).update(Content("\n").join(self._signatures(now_s)))
        foot = Content.assemble(("c", "bold"), " goes on to the launch.") if self.sufficient else words.text(
            "This screen follows by itself: there is nothing to press while you wait.", words.QUIET
        )  # fmt: skip
        self.query_one("#foot", Static).update(foot)

    def _signatures(self, now_s: float) -> list[Content]:
        newest = {seen.signer: seen for seen in self.handle.state.approvals}
        lines = [_signature(seen, now_s) for seen in newest.values()]
        counted = {name for name, seen in newest.items() if seen.accepted}
        missing = [name for name in self.handle.approvers() if name not in counted]
        if missing and not self.sufficient:
            lines.append(words.text(f"○ may sign: {', '.join(missing)}", words.QUIET))
        return lines or [words.text("○ none yet", words.QUIET)]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """One goes on only with enough."""
        return self.sufficient if action == "go_on" else True

    def action_copy(self) -> None:
        """The line, to hand it on."""
        self.console_app.copy_out(self.handle.approve_line(), "The approve line")

    def action_paste(self) -> None:
        """An approval that came by mail or chat."""

        def take(text: str | None) -> None:
            if text:
                self.console_app.work_on(self.handle.accept_approval(text))

        self.app.push_screen(
            PasteDialog("paste an approval", "The whole text of the approval file. It is verified like any other."),
            take,
        )

    def action_go_on(self) -> None:
        """To the launch."""
        if self.handle.can_launch():
            self.app.push_screen(BlockedDialog(self.handle))
        else:
            self.app.switch_screen(ConfirmScreen(self.handle))


def _signature(seen: ApprovalSeen, now_s: float) -> Content:
    if not seen.accepted:
        return Content.assemble(
            ("✗ refused   ", words.BAD), (seen.signer, "bold"), (f"  {seen.role}  {seen.why}", words.QUIET)
        )
    left_s = seen.not_after_s - now_s
    if seen.not_after_s and left_s <= 0:
        return Content.assemble(("✗ expired   ", words.BAD), (seen.signer, "bold"), (f"  {seen.role}", words.QUIET))
    left = f"  counts for {words.whole_seconds(left_s)} more" if seen.not_after_s else ""
    vote = {"for": ("✓ for       ", words.GOOD), "against": ("✗ against   ", words.BAD)}.get(
        seen.vote, (f"○ {seen.vote:<10}", words.QUIET)
    )
    return Content.assemble(vote, (seen.signer, "bold"), (f"  {seen.role}{left}", words.QUIET))
