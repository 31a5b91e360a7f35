"""Fault modes by hand: choose a service, a mode and a rate, watch the numbers, change the rate, end it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import OptionList, Static

from console.chaos import wish as wishes
from console.chaos.wish import Wish
from console.errors import GamedayError
from console.faults.call_modes import MODES
from console.modes import Acting, Aim, Outlook
from console.terms import Outcome
from console.tui import keys, modes_words, words
from console.tui.screens.confirm import ConfirmScreen
from console.tui.screens.dialog import PromptDialog
from console.tui.screens.page import Page
from console.tui.widgets.rows import Rows
from console.tui.widgets.time_chart import TimeChart

LOOK_EVERY_S = 2.0
"""The nodes are asked this often for what acts on them, in seconds."""
ASK_EVERY_S = 10.0
"""What would make the wished mode is asked again after this time, in seconds."""
SPAN_S = (30.0, 120.0)
"""The shortest and the longest time that the chart shows, in seconds."""
HERE = "here"
ACTIONS = ("start", "mode", "rate", "time", "reset")
"""What is done with the chosen service, where it can be."""


class ChaosScreen(Page):
    """The services on the left; on the right what would be begun on the chosen one, or what acts there."""

    PLACE = "Chaos"
    CSS_PATH = "chaos.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.CHAOS]
    HELP = (
        "# Chaos\nMake the calls of a running process fail at a rate. Choose a service; what would make the mode and "
        "the nearest rate are said before it starts. A mode that acts already, also one that another console or "
        "`gameday chaos mode --for` began, is shown with its numbers. `r` changes its rate, `x` ends it and proves it "
        "gone, `ctrl+x` aborts this console's own run. What nobody counts is `? unknown`."
    )

    def __init__(self) -> None:
        super().__init__()
        self._mode = next(iter(MODES))
        self._rate_pct = 10.0
        self._for_s: float | None = None
        self._outlooks: dict[Wish, Outlook] = {}
        self._asked: tuple[Wish, float] | None = None
        self._working = ""
        """What is being done; empty: nothing. One thing at a time."""
        self._looking = False
        self._said = Content()

    def body(self) -> ComposeResult:
        """Services, wish or numbers, chart, and a line for what came of it."""
        with Horizontal():
            with Vertical(id="targets", classes="card"):
                yield Rows("services")
            with Vertical(id="right"):
                yield Static(id="ask", classes="card")
                yield Static(id="now", classes="card")
                yield TimeChart("injected")
        yield Static(id="said")

    def on_mount(self) -> None:
        """Titles; ask the nodes at once, and again and again."""
        self.query_one("#targets").border_title = "services"
        self.query_one("#ask").border_title = "to begin"
        self.query_one(Rows).focus()
        self._look()
        self.set_interval(LOOK_EVERY_S, self._look)

    # What is known

    @property
    def aim(self) -> Aim | None:
        """The service under the cursor."""
        if not self._composed:
            return None
        chosen = self.query_one(Rows).chosen
        return next((aim for aim in self.console_app.session.modes.aims() if aim.name == chosen), None)

    @property
    def acting(self) -> Acting | None:
        """The mode that acts on the chosen service."""
        aim = self.aim
        found = self.console_app.session.modes.acting.get(aim.node) if aim else None
        return found if found and aim and found.stats.unit == aim.unit else None

    @property
    def wish(self) -> Wish | None:
        """What would be begun on the chosen service; None: nothing may."""
        aim = self.aim
        if aim is None or aim.refused:
            return None
        return Wish(aim.node, aim.service, self._mode, self._rate_pct, self._for_s)

    def _look(self) -> None:
        if self._looking or self.app.screen is not self:
            return
        self._looking = True

        async def look() -> None:
            try:
                await self.console_app.session.modes.look()
            finally:
                self._looking = False

        self.console_app.work_on(look())

    def _ask(self, wish: Wish) -> None:
        """Ask the node what would make it, now and again: its service may have been started otherwise meanwhile."""
        now_s = self.console_app.session.clock()
        if self._asked and self._asked[0] == wish and now_s - self._asked[1] < ASK_EVERY_S:
            return
        self._asked = wish, now_s

        async def ask() -> None:
            self._outlooks[wish] = await self.console_app.session.modes.outlook(wish)

        self.console_app.work_on(ask())

    # What is shown

    def paint(self, now_s: float) -> None:
        """The list, and what belongs to the chosen service."""
        self._paint_services(now_s)
        aim, acting = self.aim, self.acting
        self.query_one("#ask").display = acting is None
        self.query_one("#now").display = acting is not None
        chart = self.query_one(TimeChart)
        chart.display = acting is not None
        width = self.query_one("#right").content_size.width - 4
        if aim and acting:
            self.query_one("#now").border_title = f"acts in {aim.service} on {aim.node}"
            told = modes_words.numbers(acting, now_s, wide=self.has_class("-wide"))
            self.query_one("#now", Static).update(modes_words.lines(told, width))
            self._paint_chart(chart, acting, now_s)
        elif aim:
            self.query_one("#ask").border_title = f"to begin in {aim.service} on {aim.node}"
            self.query_one("#ask", Static).update(self._wished(aim, width))
        said = self._told(now_s)
        self.query_one("#said").display = bool(said)
        self.query_one("#said", Static).update(said)

    def _paint_services(self, now_s: float) -> None:
        modes, app = self.console_app.session.modes, self.console_app
        begun = {(action.node, unit) for action in (app.running.plan.actions if app.running else ())
                 for unit in action.target.units}  # fmt: skip
        rows = self.query_one(Rows)
        width = max(20, rows.scrollable_content_region.width - 2)
        shown: list[tuple[str, Content]] = []
        nodes: set[str] = set()
        for aim in modes.aims():
            if aim.node not in nodes:
                nodes.add(aim.node)
                shown.append((aim.node, words.text(aim.node, "$text-primary")))
            state = modes_words.aim_state(
                aim,
                modes.acting.get(aim.node),
                modes.unseen.get(aim.node, ""),
                now_s,
                begun=(aim.node, aim.unit) in begun,
            )
            shown.append((aim.name, modes_words.aim_row(aim, state, width)))
        rows.show(shown, headings=nodes)

    def _wished(self, aim: Aim, width: int) -> Content:
        wish = self.wish
        if wish is None:
            return words.text(f"✗ refused: {aim.refused}.", words.BAD)
        self._ask(wish)
        modes = self.console_app.session.modes
        lines = modes_words.wished(wish, self._outlooks.get(wish))
        other, last_one = modes.acting.get(aim.node), modes.ended.get(aim.node)
        if last_one and last_one.stats.unit == aim.unit:
            lines.append(modes_words.before(last_one))
        told = modes_words.lines(lines, width)
        if self.console_app.session.read_only:
            last = words.text("○ read-only: this console begins nothing, and ends nothing", words.QUIET)
        elif other:
            last = words.text(f"‖ {aim.node} is held: {other.stats.mode} acts in {other.stats.unit}", words.WARN)
        else:
            last = Content.assemble(
                ("enter", "bold"),
                (
                    " leads to the launch. It is a run of low risk: open items of its checklist are overridden.",
                    words.QUIET,
                ),
            )
        return Content("\n").join([told, Content(), *last.wrap(max(20, width))])

    def _paint_chart(self, chart: TimeChart, acting: Acting, now_s: float) -> None:
        chart.family, one = modes_words.series(acting)
        points = acting.history
        first_s = max(points[0][0] if points else now_s, now_s - SPAN_S[1])
        chart.show([one] if one else [], (first_s, max(now_s, first_s + SPAN_S[0])), None, now_s, None)
        if one is None:
            chart.border_subtitle = "? nobody counts" if acting.stats.counted is None else "◐ counting"

    def _told(self, now_s: float) -> Content:
        modes, led = self.console_app.session.modes, self.console_app.led
        told = [words.text(f"◐ {self._working}", words.WARN)] if self._working else []
        told += [words.text(f"? {why}", words.WARN) for why in modes.unseen.values()]
        if not self._working and self._said:
            told.append(self._said)
        conclusion = led.state.conclusion if led else None
        if led and led.problem:
            told.append(words.text(f"✗ the run broke down: {led.problem}", f"bold {words.BAD}"))
        elif led and conclusion and (self.console_app.unfinished or conclusion.outcome is Outcome.UNSAFE):
            waits = "; F3 opens its write-up" if self.console_app.unfinished else ""
            sentence = conclusion.sentence.removeprefix(f"{conclusion.outcome.value}: ")
            told.append(words.outcome(conclusion.outcome) + words.text(f": {sentence}{waits}"))
        elif led and self.console_app.running and not led.state.effect_proven:
            waits = (
                "is not launched yet: F3 goes to it, ctrl+x drops it"
                if not led.state.confirmed_by
                else "is on its way: F3 shows it"
            )
            told.append(words.text(f"◐ run {led.plan.run} {waits}", words.QUIET))
        return Content("\n").join(words.fit(line, self.size.width - 4) for line in told[-3:])

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """The right side and the footer follow the cursor."""
        self.call_after_refresh(self.repaint)

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What can be done with the chosen service now; read-only does nothing."""
        if action in ACTIONS:
            may = not self.console_app.session.read_only and self.aim is not None and not self._working
            if action == "rate":
                return may and (self.acting is not None or self.wish is not None)
            if action == "reset":
                return may and self.acting is not None
            return may and self.acting is None and self.wish is not None
        return True

    def action_mode(self, step: int) -> None:
        """The next mode."""
        names = list(MODES)
        self._mode = names[(names.index(self._mode) + step) % len(names)]
        self.repaint()

    def action_rate(self) -> None:
        """The rate: of what acts, else of what would be begun."""
        aim, acting = self.aim, self.acting
        if aim is None:
            return

        def take(text: str | None) -> None:
            pct = self._understood(wishes.percent, text)
            if pct is None:
                return
            if acting:
                self._do(
                    f"telling {aim.service} on {aim.node} its new rate",
                    self.console_app.session.modes.set_rate(aim.node, pct),
                    f"{aim.node}: the rate is {pct:g} %",
                )
            else:
                self._rate_pct = pct
                self.repaint()

        now = acting.stats.asked_pct if acting else self._rate_pct
        self.app.push_screen(
            PromptDialog("rate", "How many of its calls are to fail, from 0 to 100 %?", value=f"{now:g}"), take
        )

    def action_time(self) -> None:
        """For how long, or as long as this console holds it."""

        def take(text: str | None) -> None:
            if text == HERE:
                self._for_s = None
            elif (for_s := self._understood(wishes.duration_s, text)) is not None:
                self._for_s = for_s
            self.repaint()

        sentence = (
            f"`{HERE}`: as long as this console holds it. A time from 1s to 1h: it is left to its node, which ends it."
        )
        value = HERE if self._for_s is None else f"{self._for_s:g}s"
        self.app.push_screen(PromptDialog("for how long", sentence, placeholder="5m", value=value), take)

    def _understood(self, read: Callable[[str], float], text: str | None) -> float | None:
        if text is None:
            return None
        try:
            return read(text)
        except GamedayError as error:
            self.console_app.complain(error)
            return None

    def action_start(self) -> None:
        """Begin a run of it, and go to its launch; one at a time."""
        app, wish = self.console_app, self.wish
        if wish is None or not self.check_action("start", ()):
            return
        if app.unfinished:
            app.notify("A run of this console has not ended yet: F3 goes to it.", severity="warning")
            return
        outlook = self._outlooks.get(wish)
        if outlook and outlook.backend is None:
            self._asked = None  # it may have been mended: enter asks again
            app.notify(f"Nothing can make it: {outlook.why}", severity="warning", markup=False)
            self.repaint()
            return

        async def prepare() -> None:
            handle = await app.session.modes.prepare(wish)
            app.lead(handle)
            if app.screen is self:
                app.push_screen(ConfirmScreen(handle))

        self._do(f"verifying what must hold before {wish.mode} in {wish.service} on {wish.node}", prepare(), "")

    def action_reset(self) -> None:
        """End what acts there."""
        aim = self.aim
        if aim and self.acting and self.check_action("reset", ()):
            self._do(
                f"ending {self.acting.stats.mode} in {aim.service} on {aim.node}",
                self.console_app.session.modes.reset(aim.node),
            )

    def _do(self, what: str, work: Awaitable[object], done: str | None = None) -> None:
        """One thing at a time, with its word while it goes on and its end; None: the work says what came of it."""
        self._working, self._said = what, Content()

        async def guarded() -> None:
            try:
                told = await work
            except GamedayError as error:
                self._said = words.text(f"✗ {error}", words.BAD)
                raise
            finally:
                self._working = ""
            ended = str(told) if done is None else done
            self._said = words.text(f"✓ {ended}", words.GOOD) if ended else Content()

        self.console_app.work_on(guarded())
        self.repaint()
