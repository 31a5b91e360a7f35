"""Home: the nodes as they are now, and the experiments that can be run on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Grid, Vertical
from textual.content import Content
from textual.widgets import Input, OptionList, Static

from console.tui import keys, words
from console.tui.ports.experiment import ExperimentView
from console.tui.screens.page import Page
from console.tui.widgets.node_pane import NodePane, lines_wanted
from console.tui.widgets.rows import Rows

RISK, APPROVAL, LAST = 10, 11, 8
EXPERIMENTS_EVERY_S = 5.0
"""Whether an experiment can run here is resolved anew this often, in seconds."""


class FilterInput(Input):
    """The line that narrows the list."""

    HELP = "Type a part of a name, a risk, a category or `ready`. Esc shows all again."
    BINDINGS: ClassVar[list[BindingType]] = [*keys.FILTER]

    def action_end_filter(self) -> None:
        """Show all again."""
        self.value = ""
        self.display = False
        self.screen.query_one(Rows).focus()


class HomeScreen(Page):
    """The first screen."""

    PLACE = "Home"
    CSS_PATH = "home.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.HOME]
    HELP = (
        "# Home\nThe nodes as they are now, and below them the experiments. Choose one with enter to see what it "
        "does before anything runs."
    )

    def __init__(self) -> None:
        super().__init__()
        self._known: Sequence[ExperimentView] = ()
        self._known_at_s = 0.0
        self._reach: tuple[bool, ...] = ()

    def on_resize(self, event: events.Resize) -> None:
        """The columns follow the width."""
        self.query_one("#columns", Static).update(_columns(_name_width(event.size.width - 6)))

    def body(self) -> ComposeResult:
        """Panes above, experiments below."""
        with Grid(id="nodes"):
            for name in self.console_app.session.fleet:
                yield NodePane(name)
        with Vertical(id="experiments"):
            yield Static(id="columns")
            yield Rows("list")
            yield FilterInput(placeholder="filter: a name, a risk, a category, ready", id="filter", compact=True)
            yield Static(id="said")

    def on_mount(self) -> None:
        """The list has the focus, so that enter opens an experiment."""
        count = len(self.console_app.session.fleet)
        self.query_one("#nodes", Grid).styles.grid_size_columns = min(3, max(1, count))
        self.query_one("#experiments").border_title = "experiments"
        self.query_one("#filter").display = False
        self.query_one(Rows).focus()

    def paint(self, now_s: float) -> None:
        """Panes and list."""
        fleet = self.console_app.session.fleet
        most = max((lines_wanted(view) for view in fleet.values()), default=5) + 2
        height = min(most, 18 if self.has_class("-tall") else 13)
        nodes = self.query_one("#nodes", Grid)
        nodes.styles.grid_rows = str(height)
        nodes.styles.height = height if len(fleet) <= 3 or not self.has_class("-tall") else height * 2
        for pane in self.query(NodePane):
            pane.show(fleet[str(pane.border_title)], now_s)
        rows = self.query_one(Rows)
        width = max(40, rows.scrollable_content_region.width - 2)
        name_width = _name_width(width)
        wanted = self.query_one("#filter", Input).value.lower().split()
        reach = tuple(view.up for view in fleet.values())
        if reach != self._reach or now_s - self._known_at_s >= EXPERIMENTS_EVERY_S:
            self._known, self._known_at_s, self._reach = self.console_app.session.experiments(), now_s, reach
        shown = [e for e in self._known if matches(e, wanted)]
        rows.show([(e.scenario.name, row(e, width, name_width)) for e in shown])
        log = self.console_app.session.log
        said = self.query_one("#said", Static)
        said.display = bool(log) or not shown
        said.update(
            words.text("No experiment matches the filter." if not shown else log[-1] if log else "", words.QUIET)
        )

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list while typing; what is named in full is what enter opens."""
        self.repaint()
        self.query_one(Rows).choose(event.value.strip().lower())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Back to the list, still narrowed."""
        self.query_one(Rows).focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click on an experiment."""
        self.action_open()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing is behind home; enter is for the list."""
        if action == "back":
            return self._composed and self.query_one("#filter").display
        return action != "open" or isinstance(self.focused, Rows)

    def action_back(self) -> None:
        """End the filter, also from the list."""
        self.query_one(FilterInput).action_end_filter()

    def action_open(self) -> None:
        """Show the chosen experiment."""
        chosen = self.query_one(Rows).chosen
        if chosen:
            self.console_app.show_experiment(chosen)

    def action_filter(self) -> None:
        """Show the filter line."""
        line = self.query_one("#filter", Input)
        line.display = True
        line.focus()

    def action_history(self) -> None:
        """Past runs."""
        self.console_app.show_history()

    def action_chaos(self) -> None:
        """Fault modes by hand."""
        self.console_app.show_chaos()


def matches(experiment: ExperimentView, wanted: list[str]) -> bool:
    """Whether every word is found in what is known of the experiment."""
    scenario = experiment.scenario
    here = str(words.here(experiment))
    known = " ".join(
        (scenario.name, scenario.title, scenario.risk.value, scenario.category.value, here, experiment.approval)
    ).lower()
    return all(word in known for word in wanted)


def _name_width(width: int) -> int:
    return 28 if width < 100 else 34


def _columns(name_width: int) -> Content:
    line = (
        "experiment".ljust(name_width)
        + "risk".ljust(RISK)
        + "approval".ljust(APPROVAL)
        + "last".ljust(LAST + 1)
        + "here"
    )
    return words.text(line, words.QUIET)


def row(experiment: ExperimentView, width: int, name_width: int) -> Content:
    """An experiment as one line of `width` cells."""
    last = {"PASS": ("✓ PASS", words.GOOD), "FAIL": ("✗ FAIL", words.BAD)}.get(
        experiment.last, (experiment.last or "-", words.QUIET)
    )
    name = words.text(experiment.scenario.name, words.QUIET if experiment.problem else "bold")
    line = words.fit(name, name_width) + words.fit(words.risk(experiment.scenario.risk), RISK)
    line += words.fit(words.text(experiment.approval, words.QUIET), APPROVAL) + words.fit(words.text(*last), LAST + 1)
    return words.fit(line + words.here(experiment), width)
