"""After the test: checklist, proposed verdict with its evidence, issues, gaps, and the exact row that is stored."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, OptionList, Static, TextArea

from console.state import ExpectationState, ItemState
from console.terms import Status
from console.tui import keys, words
from console.tui.ports.run import RunHandle, Verdict
from console.tui.screens.checklist import item_row
from console.tui.screens.dialog import PromptDialog, QuestionDialog
from console.tui.screens.page import Page
from console.tui.widgets.rows import Rows

EXPECTED = "expected:"
"""Before the id of a row that is an expectation."""


class SignOpenDialog(QuestionDialog):
    """Asks before a write-up is signed with items open."""

    BINDINGS: ClassVar[list[BindingType]] = [*keys.SIGN_OPEN]
    HELP = "`y` signs with these items open, and they are stored as open; esc goes back."


class WriteUpScreen(Page):
    """Left what was found, right what is written."""

    CSS_PATH = "writeup.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.WRITEUP]
    HELP = (
        "# Write-up\nTick the post-test checklist. The machine proposes PASS or FAIL with its evidence; you sign. "
        "Signing the other verdict needs a note. What you see as the row is stored exactly so."
    )

    def __init__(self, handle: RunHandle) -> None:
        super().__init__()
        self.handle = handle
        self.PLACE = f"{handle.plan.scenario.name} ▸ Write-up"
        self.draft = handle.writeup_draft()
        self.verdict: Verdict = self.draft.verdict
        self._signing = False
        self._began = False

    def body(self) -> ComposeResult:
        """Two columns where there is room, else one below the other."""
        with VerticalScroll(id="all", can_focus=False):
            yield Static(id="verdict")
            with Horizontal(id="columns"):
                with Vertical(id="found"):
                    with Vertical(classes="card", id="post"):
                        yield Rows("items")
                    yield Static(id="evidence", classes="card")
                with Vertical(id="written"):
                    yield Input(
                        placeholder="note: needed when you contradict the machine",
                        id="note",
                        classes="card",
                        compact=True,
                    )
                    yield TextArea("\n".join(self.draft.issues), id="issues", classes="card", compact=True)
                    yield TextArea("\n".join(self.draft.gaps), id="gaps", classes="card", compact=True)
                    yield Static(id="row", classes="card")

    def on_mount(self) -> None:
        """Titles."""
        titles = {
            "post": "post-test checklist", "evidence": "evidence", "note": "your note",
            "issues": "issues found, a line each",
            "gaps": "runbook gaps, a line each", "row": "the row",
        }  # fmt: skip
        for id_, title in titles.items():
            self.query_one(f"#{id_}").border_title = title
        self.query_one(Rows).focus()

    def paint(self, now_s: float) -> None:
        """Everything but what is being typed."""
        state = self.handle.state
        rows, evidence = self.query_one(Rows), self.query_one("#evidence", Static)
        width = rows.scrollable_content_region.width - 2
        listed = self._items()
        rows.show([(name, item_row(item, now_s, width)) for name, item in listed.items()])
        if not self._began:
            self._began = True
            waiting = (n for n, item in enumerate(listed.values()) if _waits_for_a_person(item))
            rows.highlighted = next(waiting, rows.highlighted)
        bullet = words.text("· ", words.QUIET)
        lines = [words.hanging(bullet, Content(line), evidence.content_size.width) for line in self.draft.evidence]
        evidence.update(Content("\n").join(lines))
        self.query_one("#verdict", Static).update(self._verdict())
        self._show_row()
        signed = state.signed is not None
        for widget in (self.query_one("#note"), self.query_one("#issues"), self.query_one("#gaps")):
            widget.disabled = signed

    def _items(self) -> dict[str, ItemState]:
        """The post-test items, and below them each expectation on which a person may give their word, by its row."""
        state = self.handle.state
        return state.post | {
            f"{EXPECTED}{name}": _as_item(e) for name, e in state.expectations.items() if e.open_to_a_person
        }

    def _verdict(self) -> Content:
        state = self.handle.state
        if state.delivery:
            told = (f"✓ delivered to thermal memory: {state.delivery.hash}", f"bold {words.GOOD}")
            if not state.delivery.delivered:
                told = (
                    f"○ queued, nothing is lost; `gameday outbox flush` delivers it: {state.delivery.why}",
                    f"bold {words.WARN}",
                )
            return words.text(*told)
        if state.signed:
            return words.text("◐ signed, being stored", "bold")
        mine = (
            words.text("✓ PASS", f"bold {words.GOOD}")
            if self.verdict == "PASS"
            else words.text("✗ FAIL", f"bold {words.BAD}")
        )
        if self.verdict == self.draft.verdict:
            why = words.text("   as the machine proposes; f5: the other one, ctrl+s stores it", words.QUIET)
        else:
            why = words.text(f"   the machine proposes {self.draft.verdict}: contradicting it needs a note", words.WARN)
        return Content.assemble("You sign  ", mine, why)

    def _show_row(self) -> None:
        row = self.handle.writeup_row(self.verdict, *self._typed())
        facts = f"{row.stage}  {row.temperature:.1f}  {'sacred' if row.sacred else 'not sacred'}"
        self.query_one("#row", Static).update(
            Content.assemble((row.hash, "bold"), "\n", (facts, words.QUIET), "\n\n", row.content)
        )

    def _typed(self) -> tuple[str, list[str], list[str]]:
        issues, gaps = (
            [line.strip() for line in self.query_one(f"#{id_}", TextArea).text.splitlines() if line.strip()]
            for id_ in ("issues", "gaps")
        )
        return self.query_one("#note", Input).value.strip(), issues, gaps

    def on_input_changed(self, event: Input.Changed) -> None:
        """The row follows."""
        self._show_row()

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """The row follows."""
        self._show_row()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A signed write-up is not signed again; ticks are for the list."""
        if action in ("submit", "verdict"):
            return self.handle.state.signed is None
        item = self.chosen if isinstance(self.focused, Rows) and not self.handle.state.signed else None
        if action in ("tick", "fail"):
            return item is not None and not item.brief.automatic
        if action == "recheck":
            return item is not None and item.brief.automatic
        return True

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """The footer follows the cursor."""
        self.refresh_bindings()

    @property
    def chosen(self) -> ItemState | None:
        """The item under the cursor."""
        return self._items().get(self.query_one(Rows).chosen)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click."""
        self.action_tick()

    def action_tick(self) -> None:
        """Tick, with a note."""
        item = self.chosen
        if item and item.brief.automatic:
            self.action_recheck()
        else:
            self._ask(Status.PASS, "tick")

    def action_fail(self) -> None:
        """Mark as failed, with a note."""
        self._ask(Status.FAIL, "fail")

    def _ask(self, status: Status, verb: str) -> None:
        item, row = self.chosen, self.query_one(Rows).chosen
        if item is None:
            return
        say = self.handle.attest if row.startswith(EXPECTED) else self.handle.tick

        def take(note: str | None) -> None:
            if note:
                self.console_app.work_on(say(item.brief.id, note, status))

        self.app.push_screen(
            PromptDialog(f"{verb}: {item.brief.title}", "How do you know? The note is stored as your word."), take
        )

    def action_recheck(self) -> None:
        """Verify the chosen item again."""
        item = self.chosen
        if item:
            self.console_app.work_on(self.handle.recheck(item.brief.id))

    def action_verdict(self) -> None:
        """The other verdict."""
        self.verdict = "FAIL" if self.verdict == "PASS" else "PASS"
        self.repaint()

    def action_submit(self) -> None:
        """Sign and store, once."""
        note, _, _ = self._typed()
        if self.verdict != self.draft.verdict and not note:
            self.app.notify(
                f"The machine proposes {self.draft.verdict}: write a note that says why you sign {self.verdict}.",
                severity="warning",
            )
            self.query_one("#note").focus()
            return
        still_open = [item.brief.title for item in self.handle.state.post.values() if _waits_for_a_person(item)]
        if still_open:
            ask = Content.assemble(
                "Press ", ("y", "bold"), " to sign with them open, ", ("esc", "bold"), " to go back and tick them."
            )
            told = Content("\n").join(
                [*(Content.assemble(("○ ", words.WARN), title) for title in still_open), Content(), ask]
            )
            self.app.push_screen(SignOpenDialog("still open", told), lambda yes: self._sign() if yes else None)
            return
        self._sign()

    def _sign(self) -> None:
        if self._signing or self.handle.state.signed:
            return
        note, issues, gaps = self._typed()
        self._signing = True

        async def sign() -> None:
            try:
                await self.handle.sign(self.verdict, note, issues, gaps)
            finally:
                self._signing = False

        self.console_app.work_on(sign())


def _as_item(expectation: ExpectationState) -> ItemState:
    """The expectation as a row of the checklist; unknown until a person says more."""
    brief = msgspec.structs.replace(expectation.brief, automatic=False)
    return ItemState(brief, expectation.status, expectation.observed, attested=expectation.attested, by=expectation.by)


def _waits_for_a_person(item: ItemState) -> bool:
    """Whether the item is the operator's to settle and is not settled."""
    return not item.brief.automatic and item.status is Status.PENDING
