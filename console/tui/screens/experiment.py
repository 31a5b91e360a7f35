"""An experiment before anything runs: why, how far it reaches, the exact commands, the way back, the runbook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Markdown, Static, TabbedContent, TabPane, Tabs

from console.errors import GamedayError
from console.plan.plan import Plan
from console.plan.preview import render
from console.plan.scenario import Scenario
from console.tui import keys, words
from console.tui.ports.experiment import ExperimentView, Readiness
from console.tui.ports.run import RunHandle
from console.tui.screens.checklist import ChecklistScreen
from console.tui.screens.dialog import PromptDialog
from console.tui.screens.page import Page

LOOK_EVERY_S = 2.0
"""Whether the experiment can run here is asked of the session this often, in seconds."""


class ExperimentScreen(Page):
    """Nothing is claimed or touched here."""

    CSS_PATH = "experiment.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.EXPERIMENT]
    HELP = (
        "# Experiment\nRead what it does and the exact commands for each node; left and right change the tab. "
        "`l` begins a run at its checklist; nothing is injected before you launch. `p` changes the fault's parameters; "
        "`trials=20` among them makes so many runs of it, with the rate that passed and its 95 % interval."
    )

    def __init__(self, experiment: ExperimentView) -> None:
        super().__init__()
        self.experiment = experiment
        self.PLACE = experiment.scenario.name
        self.overrides: dict[str, str] = {}
        self.plan: Plan | None = None
        self._unresolved = ""
        self._looked_at_s = 0.0
        self._preparing = False

    @property
    def problem(self) -> str:
        """Why no run of it can begin; empty: nothing is known that stands in the way."""
        return self.experiment.problem or self._unresolved

    def body(self) -> ComposeResult:
        """Head and three tabs."""
        yield Static(id="head")
        with TabbedContent(id="tabs"):
            with TabPane("What", id="what"), VerticalScroll():
                yield Static(id="about")
            with TabPane("Commands", id="commands"), VerticalScroll():
                yield Static(id="plan")
            with TabPane("Runbook", id="runbook"), VerticalScroll():
                yield Markdown(
                    self.experiment.runbook
                    or "There is no runbook for this experiment yet. Note it as a gap in the write-up."
                )

    def on_mount(self) -> None:
        """Resolve the plan at once: what is shown is what would run."""
        self._resolve(self.overrides)
        self.query_one(Tabs).focus()

    def _resolve(self, overrides: dict[str, str]) -> None:
        try:
            self.plan = self.console_app.session.preview(self.experiment.scenario.name, overrides)
        except GamedayError as error:
            self.console_app.complain(error)
            self._unresolved = "" if self.plan else str(error)
            return
        self._unresolved = ""
        self.overrides = overrides

    def paint(self, now_s: float) -> None:
        """All of it, as the nodes are now: what was missing may have been installed meanwhile."""
        if now_s - self._looked_at_s >= LOOK_EVERY_S:
            name, self._looked_at_s = self.experiment.scenario.name, now_s
            known = {found.scenario.name: found for found in self.console_app.session.experiments()}
            self.experiment = known.get(name, self.experiment)
        experiment, scenario = self.experiment, self.plan.scenario if self.plan else self.experiment.scenario
        here = words.text(f"✗ {self.problem}", words.WARN) if self.problem else words.here(experiment)
        approval = (
            "no signature, the operator decides" if experiment.approval == "none" else f"needs {experiment.approval}"
        )
        trials = self.plan.trials if self.plan else 1
        self.query_one("#head", Static).update(
            Content.assemble(
                (scenario.title, "bold"),
                "\n",
                words.risk(scenario.risk),
                (f" risk   {approval}   ", words.QUIET),
                (f"{trials} trials   " if trials > 1 else "", "bold"),
                here,
            )
        )
        self.query_one("#about", Static).update(about(scenario, self.plan, experiment.needs))
        self.query_one("#plan", Static).update(
            commands(self.plan) if self.plan else words.text(self.problem, words.WARN)
        )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Read-only has no launch."""
        if action == "prepare":
            return not self.console_app.session.read_only and not self.problem
        return True

    def action_prepare(self) -> None:
        """Begin a run at its checklist; one at a time."""
        app = self.console_app
        if app.unfinished:
            app.notify("A run of this console has not ended yet: F3 goes to it.", severity="warning")
            return
        if self._preparing:
            return
        self._preparing = True

        async def prepare() -> None:
            try:
                handle: RunHandle = await app.session.prepare(self.experiment.scenario.name, self.overrides)
            finally:
                self._preparing = False
            app.lead(handle)
            app.go_on_to(ChecklistScreen(handle))

        app.work_on(prepare())

    def action_scroll_text(self, direction: int) -> None:
        """Scroll the text of the tab that is shown, by most of its height."""
        pane = self.query_one(TabbedContent).active_pane
        if pane:
            scroll = pane.query_one(VerticalScroll)
            scroll.scroll_relative(y=direction * max(1, scroll.size.height // 2), animate=False)

    def action_parameters(self) -> None:
        """Other parameters of the fault."""
        known = [
            f"{name}={getattr(action.fault, name)}"
            for action in (self.plan.actions if self.plan else ())
            for name in action.fault.__struct_fields__
        ]
        known.append(f"trials={self.plan.trials if self.plan else 1}")
        sentence = "KEY=VALUE, several with spaces between. Now: " + " ".join(dict.fromkeys(known))
        example = known[-2] if len(known) > 1 else "observe_s=30"

        def take(text: str | None) -> None:
            if text is None:
                return
            pairs = [word.partition("=") for word in text.split()]
            if not all(middle for _, middle, _ in pairs):
                self.app.notify(f"Write KEY=VALUE, like {example}.", severity="warning", markup=False)
                return
            self._resolve({key: value for key, _, value in pairs})
            self.repaint()

        value = " ".join(f"{key}={value}" for key, value in self.overrides.items())
        self.app.push_screen(PromptDialog("parameters", sentence, placeholder=example, value=value), take)


def _section(title: str, *lines: Content | str) -> Content:
    return Content("\n").join([words.text(title, "bold $text-primary"), *lines, ""])


def about(scenario: Scenario, plan: Plan | None, needs: Sequence[Readiness]) -> Content:
    """Purpose, blast radius, what the nodes have of what it needs, expectations, rollback."""
    actions = plan.actions if plan else ()
    radius = [Content.assemble((f"{action.node}  ", "bold"), action.blast_radius) for action in actions]
    expected = [
        Content.assemble(
            "○ ", (f"{e.title}", ""), (f"  within {e.within_s:g} s of the {e.after}", words.QUIET),
            (f", stable for {e.stable_for_s:g} s" if e.stable_for_s else "", words.QUIET),
            ("" if e.required else "  (not required)", words.QUIET),
        )
        for e in scenario.expectations
    ]  # fmt: skip
    steady = [Content.assemble("● ", item.title) for item in scenario.steady_state]
    none = words.text("none", words.QUIET)
    return Content("\n").join(
        [
            _section("Purpose", scenario.purpose),
            _section("Hypothesis", scenario.hypothesis),
            _section("Blast radius", *(radius or [words.text("none: this only observes", words.QUIET)])),
            _section("Needed on the nodes", *([words.needed(told) for told in needs] or [none])),
            _section("Must hold before, and again at the end", *(steady or [none])),
            _section("Expected", *(expected or [none])),
            _section("Rollback", scenario.rollback),
        ]
    )


def commands(plan: Plan) -> Content:
    """The plan's own text, with its scripts set off."""
    lines = []
    for line in render(plan).splitlines():
        style = (
            words.QUIET
            if line.strip().startswith("#")
            else "bold $text-primary"
            if line and not line.startswith(" ")
            else ""
        )
        lines.append(words.text(line, style))
    return Content("\n").join(lines)
