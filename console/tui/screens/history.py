"""Past runs; each opens its journal in the live view."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import OptionList, Static

from console.terms import Outcome
from console.tui import keys, words
from console.tui.ports import RunSummary
from console.tui.screens.page import Page
from console.tui.widgets.rows import Rows

WHEN, NAME, OUTCOME, SIGNED, STORED = 18, 27, 13, 9, 12


class HistoryScreen(Page):
    """The newest first."""

    PLACE = "History"
    CSS_PATH = "history.tcss"
    BINDINGS = keys.HISTORY
    HELP = "# History\nPast runs, the newest first. Enter replays the chosen one in the live view."

    def body(self) -> ComposeResult:
        """Columns and rows."""
        yield Static(id="columns")
        yield Rows(id="runs")
        yield Static("No run yet. Choose an experiment at home, and begin with its checklist.", id="none")

    def on_mount(self) -> None:
        """Read the runs once; they are past."""
        self.runs = list(self.console_app.session.runs())
        self.query_one("#none").display = not self.runs
        self.query_one("#columns").display = bool(self.runs)
        titles = (("when", WHEN), ("experiment", NAME), ("outcome", OUTCOME), ("signed", SIGNED), ("stored", STORED), ("run", 0))
        self.query_one("#columns", Static).update(words.text("".join(title.ljust(width) for title, width in titles), words.QUIET))
        self.query_one(Rows).focus()

    def on_screen_resume(self) -> None:
        """A run may have ended meanwhile."""
        self.runs = list(self.console_app.session.runs())
        super().on_screen_resume()

    def paint(self, now_s: float) -> None:
        """The rows."""
        self.query_one(Rows).show([(run.run, row(run)) for run in self.runs])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click."""
        self.action_open()

    def action_open(self) -> None:
        """Replay the chosen run."""
        chosen = self.query_one(Rows).chosen
        if chosen:
            self.console_app.show_replay(chosen)


def row(run: RunSummary) -> Content:
    """A run on one line."""
    signed = {"PASS": ("✓ PASS", words.GOOD), "FAIL": ("✗ FAIL", words.BAD)}.get(run.verdict, ("-", words.QUIET))
    if run.delivered:
        stored = words.text("✓ delivered", words.GOOD)
    else:
        stored = words.text("○ queued", words.WARN) if run.verdict else words.text("-", words.QUIET)
    why = "" if run.outcome is Outcome.PASSED else run.reason.value.replace("-", " ")
    return Content.assemble(
        words.day(run.started_s).ljust(WHEN), words.fit(words.text(run.scenario, "bold"), NAME - 1), " ",
        words.fit(words.outcome(run.outcome), OUTCOME), words.fit(words.text(*signed), SIGNED), words.fit(stored, STORED),
        f"{run.run}  ", (f"{run.operator}  ", words.QUIET), (why, words.QUIET),
    )  # fmt: skip
