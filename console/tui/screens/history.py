"""Past runs; each opens its journal in the live view."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import OptionList, Static

from console.terms import Outcome
from console.tui import keys, words
from console.tui.ports.history import RunSummary
from console.tui.screens.page import Page
from console.tui.widgets.rows import Rows

WHEN, NAME, OUTCOME, SIGNED, STORED, RUN = 17, 26, 12, 8, 13, 14


class HistoryScreen(Page):
    """The newest first."""

    PLACE = "History"
    CSS_PATH = "history.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.HISTORY]
    HELP = "# History\nPast runs, the newest first. Enter replays the chosen one in the live view."

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[RunSummary] = []

    def body(self) -> ComposeResult:
        """Columns and rows."""
        yield Static(id="columns")
        yield Rows("runs")
        yield Static("No run yet. Choose an experiment at home, and begin with its checklist.", id="none")

    def on_mount(self) -> None:
        """Columns."""
        titles = (
            ("when", WHEN),
            ("experiment", NAME),
            ("outcome", OUTCOME),
            ("signed", SIGNED),
            ("stored", STORED),
            ("run", RUN),
            ("why, who", 0),
        )
        self.query_one("#columns", Static).update(
            words.text(
                "".join(title.ljust(width) for title, width in titles)[
                    : WHEN + NAME + OUTCOME + SIGNED + STORED + 100 * (self.app.size.width >= 110)
                ],
                words.QUIET,
            )
        )
        self.query_one(Rows).focus()

    def on_screen_resume(self) -> None:
        """A run may have ended meanwhile."""
        self.runs = list(self.console_app.session.runs())
        self.query_one("#none").display = not self.runs
        self.query_one("#columns").display = bool(self.runs)

    def paint(self, now_s: float) -> None:
        """The rows."""
        rows = self.query_one(Rows)
        width = max(40, rows.scrollable_content_region.width - 2)
        rows.show([(run.run, words.fit(row(run, wide=self.has_class("-wide")), width)) for run in self.runs])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click."""
        self.action_open()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There must be one to replay."""
        return action != "open" or bool(self.runs)

    def action_open(self) -> None:
        """Replay the chosen run."""
        chosen = self.query_one(Rows).chosen
        if chosen:
            self.console_app.show_replay(chosen)


def row(run: RunSummary, *, wide: bool) -> Content:
    """A run on one line; its id, operator and reason only where there is room."""
    signed = {"PASS": ("✓ PASS", words.GOOD), "FAIL": ("✗ FAIL", words.BAD)}.get(run.verdict, ("-", words.QUIET))
    if run.delivered:
        stored = words.text("✓ delivered", words.GOOD)
    else:
        stored = words.text("○ queued", words.WARN) if run.verdict else words.text("-", words.QUIET)
    why = "" if run.outcome is Outcome.PASSED else run.reason.value.replace("-", " ")
    line = Content.assemble(
        words.day(run.started_s).ljust(WHEN), words.fit(words.text(run.scenario, "bold"), NAME - 1), " ",
        words.fit(words.outcome(run.outcome), OUTCOME), words.fit(words.text(*signed), SIGNED),
        words.fit(stored, STORED),
    )  # fmt: skip
    more = Content.assemble(run.run.ljust(RUN), (f"{why}  " if why else "", words.QUIET), (run.operator, words.QUIET))
    return line + more if wide else line
