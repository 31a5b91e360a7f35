"""Approval: the line to paste, who has signed, who is missing, and for how long signatures count."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from console.events import ApprovalSeen
from console.state import newest_approvals
from console.tui import keys, words
from console.tui.ports.run import RunHandle
from console.tui.screens.blocked import BlockedDialog
from console.tui.screens.confirm import ConfirmScreen
from console.tui.screens.dialog import PasteDialog
from console.tui.screens.page import Page

VOTES = {
    "for": ("✓ for       ", words.GOOD),
    "against": ("✗ against   ", words.BAD),
    "abstain": ("○ abstained ", words.QUIET),
    "launch": ("▶ launch    ", words.GOOD),
}


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
                words.risk(risk), f" risk needs {need} approval    ", settled, (f"\n{summary}", words.QUIET),
                ("\nplan digest ", words.QUIET), handle.plan.digest[:16],
                ("   any change of it voids every signature", words.QUIET),
                (f"\nmaintenance window {handle.plan.window}" if handle.plan.window else "", words.QUIET),
            )
        )  # fmt: skip
        line = self.query_one("#line", Static)
        line.update(Content(words.pasteable(handle.approve_line(), line.content_size.width)))
        signed = self.query_one("#signed", Static)
        lines = self._signatures(now_s, signed.content_size.width)
        signed.update(Content("\n").join([self._count(), *lines] if policy.quorum else lines))
        self.query_one("#foot", Static).update(self._foot())

    def _foot(self) -> Content:
        """Where signatures are looked for, and what one can do."""
        if self.sufficient:
            return Content.assemble(("c", "bold"), " goes on to the launch.")
        inbox = self.handle.inbox
        width = self.query_one("#foot", Static).content_size.width
        where = (
            words.hanging(words.text("watched every second  ", words.QUIET), Content(inbox), width)
            if inbox
            else words.text("No folder is watched: the inventory names no approvals.inbox.", words.WARN)
        )
        paste = Content.assemble(
            ("An approval that came by mail or chat: ", words.QUIET), ("p", "bold"), (" pastes it.", words.QUIET)
        )
        return Content("\n").join([where, paste])

    def _signatures(self, now_s: float, width: int) -> list[Content]:
        newest = newest_approvals(self.handle.state)
        lines = [_signature(seen, now_s, width) for seen in newest]
        counted = {seen.signer for seen in newest if seen.accepted and now_s < seen.not_after_s}
        missing = [name for name in self.handle.approvers() if name not in counted | {self.handle.plan.operator}]
        if missing and not self.sufficient:
            lines.append(words.hanging(words.text("○ may sign  ", words.QUIET), Content(", ".join(missing)), width))
        return lines or [words.text("○ none yet", words.QUIET)]

    def _count(self) -> Content:
        """The voters as the run counts them, of those that are needed."""
        settled, need = self.handle.state.approval, self.handle.plan.policy.quorum
        have, against, abstained = (
            (settled.votes_for, settled.votes_against, settled.abstained) if settled else (0, 0, 0)
        )
        boxes = "■" * min(have, need) + "□" * max(0, need - have)
        return Content.assemble(
            (boxes, words.GOOD if have >= need else words.WARN), f"  {have} of {need} for",
            (f"   {against} against", words.BAD if against else words.QUIET),
            (f"   {abstained} abstained", words.QUIET),
        )  # fmt: skip

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


def _signature(seen: ApprovalSeen, now_s: float, width: int) -> Content:
    """Vote and countdown first, so that they stand below one another; then who, in which role, or why not."""
    who = Content.assemble((seen.signer, "bold"), (f"  {seen.role}" if seen.role else "", words.QUIET))
    left_s = seen.not_after_s - now_s
    if not seen.accepted:
        head, tail = words.text("✗ refused   ", words.BAD), seen.why
    elif seen.not_after_s and left_s <= 0:
        head, tail = words.text("✗ expired   ", words.BAD), f"at {words.clock(seen.not_after_s)}"
    else:
        head = words.text(*VOTES.get(seen.vote, (f"○ {seen.vote:<10}", words.QUIET)))
        until = f"{words.whole_seconds(left_s)} left, until {words.clock(seen.not_after_s)}"
        tail = until if seen.not_after_s else ""
    return words.hanging(head, Content.assemble(who, (f"  {tail}", words.QUIET)), width)
