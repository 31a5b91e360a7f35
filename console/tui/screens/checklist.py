"""The pre-test checklist: nothing launches while an item is not settled."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import OptionList, Static

from console.state import ItemState
from console.terms import Risk, Status
from console.tui import keys, words
from console.tui.ports.run import RunHandle
from console.tui.screens.approval import ApprovalScreen
from console.tui.screens.blocked import BlockedDialog
from console.tui.screens.confirm import ConfirmScreen
from console.tui.screens.dialog import PromptDialog
from console.tui.screens.page import Page
from console.tui.widgets.rows import Rows


class ChecklistScreen(Page):
    """One row an item, its evidence below it."""

    CSS_PATH = "checklist.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.CHECKLIST]
    HELP = (
        "# Checklist\nThe console verifies what it can and shows the evidence; the rest you tick, with a note. "
        "Nothing launches while an item is failed or unknown. A verified item counts for ten minutes."
    )

    def __init__(self, handle: RunHandle) -> None:
        super().__init__()
        self.handle = handle
        self.PLACE = f"{handle.plan.scenario.name} ▸ Checklist"

    def body(self) -> ComposeResult:
        """Rows and the sentence below."""
        yield Static(id="head")
        yield Rows("items")
        yield Static(id="foot")

    def on_mount(self) -> None:
        """Verify at once what can be verified."""
        self.query_one(Rows).focus()
        self.console_app.work_on(self.handle.recheck(None))

    def paint(self, now_s: float) -> None:
        """The items, and what is missing."""
        items = list(self.handle.state.pre.values())
        settled = sum(item.settled(now_s) for item in items)
        ready = settled == len(items)
        head = words.text(f"{settled} of {len(items)} settled", f"bold {words.GOOD if ready else words.WARN}")
        self.query_one("#head", Static).update(Content.assemble(("Before the test", "bold"), "   ", head))
        rows = self.query_one(Rows)
        roomy = rows.size.height >= 3 * len(items)
        rows.show(
            [
                (item.brief.id, item_row(item, now_s, rows.scrollable_content_region.width - 2, roomy=roomy))
                for item in items
            ]
        )
        then = "approval" if self._needs_approval else "launch"
        foot = Content.assemble(("c", "bold"), f" goes on to the {then}.") if ready else words.text(
            "Tick what you know, with a note; c shows all that stands in the way.", words.QUIET
        )  # fmt: skip
        self.query_one("#foot", Static).update(foot)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What is of use for the item under the cursor; only low risk may be overridden."""
        item = self.chosen
        if action in ("tick", "fail"):
            return item is not None and not item.brief.automatic
        if action == "recheck":
            return item is not None and item.brief.automatic
        if action == "override":
            settled = item is None or item.settled(self.console_app.session.clock())
            return self.handle.plan.scenario.risk is Risk.LOW and not settled
        return True

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """The footer follows the cursor."""
        self.refresh_bindings()

    @property
    def chosen(self) -> ItemState | None:
        """The item under the cursor."""
        return self.handle.state.pre.get(self.query_one(Rows).chosen) if self._composed else None

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click: what is of use for that item."""
        self.action_tick()

    def action_tick(self) -> None:
        """Tick, with a note; an automatic item is checked again instead."""
        item = self.chosen
        if item and item.brief.automatic:
            self.action_recheck()
        else:
            self._ask(Status.PASS, "tick", "How do you know? The note is stored as your word.")

    def action_fail(self) -> None:
        """Mark as failed, with a note."""
        self._ask(Status.FAIL, "fail", "What is wrong?")

    def _ask(self, status: Status, verb: str, sentence: str) -> None:
        item = self.chosen
        if item is None:
            return

        def take(note: str | None) -> None:
            if note:
                self.console_app.work_on(self.handle.tick(item.brief.id, note, status))

        self.app.push_screen(
            PromptDialog(f"{verb}: {item.brief.title}", sentence, value=item.evidence if item.attested else ""), take
        )

    def action_recheck(self) -> None:
        """Verify the chosen item again."""
        item = self.chosen
        if item and item.brief.automatic:
            self.console_app.work_on(self.handle.recheck(item.brief.id))
        elif item:
            self.app.notify("This one the console cannot verify: tick it with a note.")

    def action_recheck_all(self) -> None:
        """Verify all again."""
        self.console_app.work_on(self.handle.recheck(None))

    def action_override(self) -> None:
        """Go on without it."""
        item = self.chosen
        if item is None:
            return

        def take(reason: str | None) -> None:
            if reason:
                self.console_app.work_on(self.handle.override(item.brief.id, reason))

        self.app.push_screen(
            PromptDialog(f"override: {item.brief.title}", "Why go on without it? The reason is stored."), take
        )

    @property
    def _needs_approval(self) -> bool:
        settled = self.handle.state.approval
        return self.handle.plan.policy.quorum > 0 and not (settled and settled.sufficient)

    def action_go_on(self) -> None:
        """To approval or launch; or all the reasons why not."""
        approval = self._needs_approval
        now_s = self.console_app.session.clock()
        if self.handle.state.blockers(now_s) or (not approval and self.handle.can_launch()):
            self.app.push_screen(BlockedDialog(self.handle))
        elif approval:
            self.app.switch_screen(ApprovalScreen(self.handle))
        else:
            self.app.switch_screen(ConfirmScreen(self.handle))


def item_row(item: ItemState, now_s: float, width: int, *, roomy: bool = False) -> Content:
    """An item on two lines: status and title, then the evidence."""
    status = words.checked(item.status, attested=item.attested)
    kind = "" if item.brief.automatic else "  by you"
    stale = bool(item.valid_until_s) and now_s > item.valid_until_s and item.status is Status.PASS
    if item.override:
        status = words.text("! overridden", words.WARN)
    elif stale:
        status = words.text("? too old", words.WARN)
    told = (
        item.override
        or item.evidence
        or ("the console verifies this" if item.brief.automatic else "enter ticks it, with a note")
    )
    by = f"  ({item.by})" if item.by else ""
    left_s = item.valid_until_s - now_s
    valid = f"  counts for {words.whole_seconds(left_s)} more" if item.valid_until_s and left_s > 0 else ""
    body = Content.assemble(
        (item.brief.title, "bold"),
        (f"{kind}{valid}", words.QUIET),
        "\n",
        (f"{told}{by}", words.QUIET),
        "\n " if roomy else "",
    )
    return words.hanging(words.fit(status, 14), body, width)
