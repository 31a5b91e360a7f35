"""The live view of a run: the one that is led, one that is watched, or a past one; all from the same fold."""

from __future__ import annotations

from bisect import bisect_left
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Grid, Horizontal
from textual.content import Content
from textual.widgets import Static

from console.run import pass_rate
from console.run.pass_rate import Progress
from console.terms import Outcome, Status
from console.tui import keys, words
from console.tui.families import chart_span, charts, families, fault_window, reboots
from console.tui.narrate import headline, without_repeats
from console.tui.ports.run import RunHandle, RunView
from console.tui.replay import Replay
from console.tui.screens.dialog import PromptDialog
from console.tui.screens.page import Page
from console.tui.widgets.big_line import BigLine
from console.tui.widgets.boot_order import BootOrder
from console.tui.widgets.event_log import EventLog
from console.tui.widgets.expectation_list import ExpectationList
from console.tui.widgets.node_pane import away
from console.tui.widgets.phase_strip import PhaseStrip
from console.tui.widgets.time_chart import TimeChart
from console.tui.widgets.trials_line import TrialsLine

LINES_BY_HAND = 3
"""Lines for the commands; half a command would be worse than none. `y` copies all, and the run's folder has them."""
FILE = "revert-by-hand.txt in the run's folder"


class LiveScreen(Page):
    """With a handle the operator's keys work; without one it is only looked at."""

    CSS_PATH = "live.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.LIVE, *keys.REPLAY]
    HELP = (
        "# Live\nThe big line says the phase, the time since the injection, and what is expected next with its limit. "
        "`ctrl+x` takes the fault back: it first says what and in how long."
    )

    def __init__(self, view: RunView, handle: RunHandle | None = None) -> None:
        super().__init__()
        self.view, self.handle = view, handle
        self.replay = view if isinstance(view, Replay) else None
        started = view.state.started
        self.PLACE = f"{started.scenario if started else 'run'}{' (replay)' if self.replay else ''}"
        self.playing = False

    def body(self) -> ComposeResult:
        """Big line, phases, charts, expectations beside the log, the way to revert by hand."""
        yield BigLine()
        yield PhaseStrip()
        yield TrialsLine()
        yield Static(id="away")
        first, *others = charts(self.view.state)
        with Grid(id="charts"):
            yield TimeChart(first)
            if reboots(self.view.state):
                yield BootOrder()
            for family in others:
                yield TimeChart(family)
        with Horizontal(id="told"):
            yield ExpectationList()
            yield EventLog()
        yield Static(id="bottom")

    def on_mount(self) -> None:
        """Hear of changes; play on in real time when asked."""
        if self.handle is None:
            self._unsubscribe = self.view.subscribe(self.console_app.say_changed)
        self.query_one(EventLog).focus()
        self.set_interval(0.5, self._play_on)

    def on_unmount(self) -> None:
        """Hear nothing more."""
        if self.handle is None:
            self._unsubscribe()

    def paint(self, now_s: float) -> None:
        """Everything from the one state."""
        state = self.view.state
        if self.replay:
            now_s = self.replay.now_s
        elif state.ended:
            now_s = state.now_s
        zero_s = state.injected_at_s
        self.query_one(BigLine).show(headline(state, now_s))
        self.query_one(PhaseStrip).show(state)
        progress = self.handle.progress if self.handle else None
        self.query_one(TrialsLine).show(progress, state.started, self.console_app.session.clock())
        unseen = self._away(now_s)
        self.query_one("#away").display = bool(unseen)
        self.query_one("#away", Static).update(unseen)
        for order in self.query(BootOrder):
            order.show(state, now_s)
        drawn, span, window = families(state), chart_span(state, now_s), fault_window(state, now_s)
        seen_until_s = min(now_s, state.conclusion.at_s) if state.conclusion else now_s
        for chart in self.query(TimeChart):
            chart.show(drawn[chart.family], span, window, seen_until_s, zero_s)
        self.query_one(ExpectationList).show(state, now_s)
        self.query_one(EventLog).show(without_repeats(state.log), zero_s)
        bottom = self._bottom(now_s)
        self.query_one("#bottom").display = bool(bottom)
        self.query_one("#bottom", Static).update(bottom)

    def _away(self, now_s: float) -> Content:
        """The nodes that are not seen; of a run that is past or another's, those that it did not see."""
        if self.handle and not self.view.state.ended:
            seen = [away(view, now_s) for view in self.console_app.session.fleet.values()]
        else:
            nodes = {} if self.view.state.conclusion else self.view.state.nodes
            seen = [
                Content.assemble(("✗ ", words.BAD), (name, "bold"), (f" not seen: {node.link_why}", words.BAD))
                for name, node in nodes.items()
                if not node.link_up
            ]
        return Content("\n").join(words.fit(line, self.size.width - 4) for line in seen if line)

    def _bottom(self, now_s: float) -> Content:
        state = self.view.state
        if self.replay:
            return self._time_line()
        if self.handle and self.handle.problem:
            return words.text(f"✗ the run broke down: {self.handle.problem}", f"bold {words.BAD}")
        if state.conclusion and state.conclusion.outcome is Outcome.UNSAFE:
            return self._locked()
        progress = self.handle.progress if self.handle else None
        if progress:
            return self._trials_told(progress) or self._held_by_hand()
        if state.conclusion and self.handle and not state.signed and not state.ended:
            return Content.assemble(
                ("▸ ", words.WARN), ("w", "bold"), " opens the post-test checklist and the write-up"
            )
        if state.delivery or state.hash:
            told = f"delivered to thermal memory: {state.hash}" if state.delivery and state.delivery.delivered else ""
            return (
                words.text(f"✓ {told}", words.GOOD)
                if told
                else words.text(
                    f"○ queued; `gameday outbox flush` delivers it: {state.delivery.why if state.delivery else ''}",
                    words.WARN,
                )
            )
        return self._held_by_hand()

    def _held_by_hand(self) -> Content:
        return self._hand_reverts({name for name, node in self.view.state.nodes.items() if node.held})

    def _trials_told(self, progress: Progress) -> Content:
        """At the end what the sample says of the bar, and where the row is; on the way, why no further one is begun."""
        if progress.over:
            tone = words.GOOD if pass_rate.word(progress) == "PASS" else words.BAD
            said = words.text(f"{pass_rate.word(progress)}: {pass_rate.sentence(progress)}", tone)
            left = progress.trials - len(progress.done)
            stopped = words.text(f"○ {left} not begun: {progress.stopped}", words.WARN) if left else Content()
            row = words.text(progress.row, words.QUIET)
            return Content("\n").join(line for line in (said, stopped, row) if line)
        return words.text(f"○ no further trial: {progress.stopped}", words.WARN) if progress.stopped else Content()

    def _locked(self) -> Content:
        """Nodes that are not proven clean outlast the run: what to type, whatever else is still to be done here."""
        state = self.view.state
        armed = {name: node for name, node in state.nodes.items() if node.arming_at_s is not None}
        locked = [name for name, node in armed.items() if node.clean is not Status.PASS]
        first = Content.assemble(
            (f"✗ {' and '.join(locked)} {'stays' if len(locked) == 1 else 'stay'} locked. ", f"bold {words.BAD}"),
            "Remove the cause, then type in a shell:\n  ",
            ("gameday sweep --revert", "bold"),
        )
        return Content("\n").join([first, self._hand_reverts(set(locked), taken=2)])

    def _hand_reverts(self, nodes: set[str], taken: int = 0) -> Content:
        """The command for each of these nodes, as far as there is room; `taken` lines of it are not to be had."""
        state = self.view.state
        held = [(n, node.hand_revert) for n, node in state.nodes.items() if n in nodes and node.hand_revert]
        targets = state.started.targets if state.started else ()
        broken = [item for item in held if item[0] in targets] or held  # on the others there is only a guard
        shown = Content("\n").join(_by_hand(name, command, self.size.width - 4) for name, command in broken)
        if len(shown.split("\n")) <= LINES_BY_HAND - taken:
            return shown
        names = " and ".join(name for name, _ in held)
        return Content.assemble(
            (f"by hand on {names}: ", words.QUIET), ("y", "bold"), f" copies the command, {FILE} has it"
        )

    def _time_line(self) -> Content:
        replay = self.replay
        if replay is None:
            return Content()
        left, right = words.clock(replay.now_s), words.clock(replay.last_s)
        width = max(10, self.size.width - len(left) - len(right) - 10)
        done = round((replay.now_s - replay.first_s) / max(replay.last_s - replay.first_s, 1e-9) * (width - 1))
        glyph = "▶" if self.playing else "‖"
        return Content.assemble(
            f"{glyph} ", (left, "bold"), " ", ("━" * done, "$text-primary"), ("●", "bold $text-primary"),
            ("─" * (width - 1 - done), words.QUIET), f" {right}",
        )  # fmt: skip

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what can be done with this run is offered."""
        state = self.view.state
        if action in ("scrub", "jump", "play"):
            return self.replay is not None
        if action == "note":
            return self.handle is not None and not state.ended
        if action == "copy":
            unsafe = state.conclusion is not None and state.conclusion.outcome is Outcome.UNSAFE
            return self.handle is not None and (unsafe or not state.ended)
        if action == "writeup":
            mine = self.handle is not None and self.handle.progress is None
            return mine and state.conclusion is not None and bool(state.signed or not state.ended)
        return True

    def action_note(self) -> None:
        """A note, stamped with the moment at which it is taken."""
        handle = self.handle
        if handle is None:
            return

        def take(words_typed: str | None) -> None:
            if words_typed:
                self.console_app.work_on(handle.note(words_typed))

        self.app.push_screen(PromptDialog("note", "What did you see? It is stamped when you press enter."), take)

    def action_metric(self) -> None:
        """The next series of the focused chart."""
        if isinstance(self.focused, TimeChart):
            self.focused.next_series()
            self.repaint()
        else:
            self.app.notify("Move to a chart first, with tab or the mouse.")

    def action_copy(self) -> None:
        """The commands that revert by hand."""
        if self.handle:
            self.console_app.copy_out(
                "\n".join(self.handle.hand_reverts().values()), "The commands that revert by hand"
            )

    def action_writeup(self) -> None:
        """Post-test checklist and write-up."""
        if self.handle:
            self.console_app.show_writeup(self.handle)

    # Replay

    def _play_on(self) -> None:
        if self.replay and self.playing:
            self.action_scrub(0.5)
            self.playing = not self.replay.at_end

    def action_scrub(self, by_s: float) -> None:
        """Move the moment that is shown."""
        if self.replay:
            self.replay.move_to(self.replay.now_s + by_s)
            self.repaint()

    def action_jump(self, step: int) -> None:
        """To the phase before or after."""
        if self.replay:
            starts = self.replay.phase_starts()
            here = bisect_left(starts, self.replay.now_s)
            if step > 0 and here < len(starts) and starts[here] == self.replay.now_s:
                here += 1
            wanted = here - 1 if step < 0 else here
            target_s = (
                starts[wanted]
                if 0 <= wanted < len(starts)
                else (self.replay.first_s if step < 0 else self.replay.last_s)
            )
            self.replay.move_to(target_s)
            self.repaint()

    def action_play(self) -> None:
        """On in real time, or stop; from the start when at the end."""
        if self.replay:
            if self.replay.at_end:
                self.replay.move_to(self.replay.first_s)
            self.playing = not self.playing
            self.repaint()


def _by_hand(node: str, command: str, width: int) -> Content:
    head = f"by hand on {node}: "
    return Content.assemble((head, words.QUIET), words.pasteable(command, width, taken=len(head)))
