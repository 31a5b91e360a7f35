"""The terminal app: which screen is shown, the run that is led, and painting at most twice a second."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, ClassVar, Final, cast

from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from console.errors import GamedayError
from console.tui import keys, themes
from console.tui.messages import Changed
from console.tui.ports.run import RunHandle, RunView
from console.tui.ports.session import Session
from console.tui.replay import Replay
from console.tui.screens.abort import AbortDialog
from console.tui.screens.chaos import ChaosScreen
from console.tui.screens.checklist import ChecklistScreen
from console.tui.screens.experiment import ExperimentScreen
from console.tui.screens.help import HelpDialog
from console.tui.screens.history import HistoryScreen
from console.tui.screens.home import HomeScreen
from console.tui.screens.leave import LeaveDialog
from console.tui.screens.live import LiveScreen
from console.tui.screens.page import Page
from console.tui.screens.writeup import WriteUpScreen

PAINT_EVERY_S: Final = 0.5
OUTBOX_EVERY_S: Final = 2.0
"""The outbox is a folder: it is not read at each paint."""


class GamedayApp(App[None]):
    """The console on a session. `opened` is a run to show at once: watched, or replayed."""

    CSS_PATH = "app.tcss"
    TITLE = "gameday"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.ANYWHERE]
    AUTO_FOCUS = ""

    def __init__(self, session: Session, *, opened: RunView | None = None) -> None:
        super().__init__()
        self.session = session
        self.opened = opened
        self.led: RunHandle | None = None
        """The run that this console leads, from its checklist to its end."""
        self._painted_s = 0.0
        self._outbox = 0
        self._outbox_at_s = -OUTBOX_EVERY_S
        self._unsubscribe: list[Callable[[], None]] = []

    def on_mount(self) -> None:
        """Themes, subscription, first screen."""
        self.register_theme(themes.DARK)
        self.register_theme(themes.LIGHT)
        self.theme = themes.DARK.name
        self._unsubscribe.append(self.session.subscribe(self.say_changed))
        self.set_interval(PAINT_EVERY_S, self.repaint_page)
        self.push_screen(HomeScreen())
        if self.opened:
            self.push_screen(LiveScreen(self.opened))

    def on_unmount(self) -> None:
        """Hear nothing more."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()

    # What is shown

    def say_changed(self) -> None:
        """A callback for the session and for runs; callable as often as one likes."""
        self.post_message(Changed())

    def on_changed(self, message: Changed) -> None:
        """Paint now, unless it was just painted: then the next tick does."""
        if self._loop_s() - self._painted_s >= PAINT_EVERY_S:
            self.repaint_page()

    def _loop_s(self) -> float:
        return self._loop.time() if self._loop else 0.0

    def repaint_page(self) -> None:
        """Bring the topmost full screen up to now, also behind a dialog."""
        self._painted_s = self._loop_s()
        if isinstance(self.screen, AbortDialog) and self.running is None:
            self.screen.dismiss(False)  # the run has ended under the question
        page = next((screen for screen in reversed(self.screen_stack) if isinstance(screen, Page)), None)
        if page:
            page.repaint()

    def bar(self) -> dict[str, Any]:
        """What the title bar shows."""
        session, led = self.session, self.led
        if self._loop_s() - self._outbox_at_s >= OUTBOX_EVERY_S:
            self._outbox, self._outbox_at_s = session.outbox_count, self._loop_s()
        return {
            "name": session.inventory.name,
            "now_s": session.clock(),
            "outbox": self._outbox,
            "read_only": session.read_only,
            "led": led.state if led else None,
            "guards": {name: left_s for name, left_s in led.guards.items() if led.state.nodes[name].held}
            if led
            else {},
        }

    # Work

    def work_on(self, work: Awaitable[object], then: Callable[[], object] | None = None) -> None:
        """Do it in a worker; what goes wrong is said in a sentence."""

        async def guarded() -> None:
            await work
            if then:
                then()
            self.repaint_page()

        self.run_worker(guarded(), exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A command that failed is told; it is never swallowed."""
        if event.state is WorkerState.ERROR and event.worker.error:
            self.complain(event.worker.error)

    def complain(self, error: BaseException) -> None:
        """Say in a sentence what went wrong."""
        known = isinstance(error, GamedayError)
        sentence = str(error) if known else f"{type(error).__name__}: {error}"
        self.notify(
            sentence, title="" if known else "The console made a mistake", severity="error", timeout=12, markup=False
        )

    def copy_out(self, words: str, what: str) -> None:
        """To the clipboard by OSC 52, and to a file, because a terminal never says whether it took it."""
        self.copy_to_clipboard(words)
        file = self.session.copy_file
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(words + "\n", encoding="utf-8")
        except OSError as error:
            self.notify(
                f"{what} went to the clipboard only; {file}: {error.strerror}", severity="warning", markup=False
            )
            return
        self.notify(f"{what}: to the clipboard, and to {file}", markup=False)

    # Where one goes

    def go_back(self) -> None:
        """One screen back, never past home."""
        if len(self.screen_stack) > 2:
            self.pop_screen()

    def go_home(self) -> None:
        """Back to home; a run goes on."""
        while len(self.screen_stack) > 2:
            self.pop_screen()

    def go_on_to(self, page: Page) -> None:
        """The next screen of a run takes the place of the one before."""
        if isinstance(self.screen, HomeScreen):
            self.push_screen(page)
        else:
            self.switch_screen(page)

    def show_experiment(self, name: str) -> None:
        """An experiment, before anything runs."""
        experiment = next((e for e in self.session.experiments() if e.scenario.name == name), None)
        if experiment:
            self.push_screen(ExperimentScreen(experiment))

    def show_history(self) -> None:
        """Past runs."""
        self.push_screen(HistoryScreen())

    def show_chaos(self) -> None:
        """Fault modes by hand."""
        self.push_screen(ChaosScreen())

    def show_launched(self, handle: RunHandle) -> None:
        """After the launch: to the live view, or back to the panel from which the mode was begun."""
        if isinstance(self.screen_stack[-2], ChaosScreen):
            self.pop_screen()
        else:
            self.switch_screen(LiveScreen(handle, handle))

    def show_replay(self, run: str) -> None:
        """A past run in the live view."""
        try:
            recording = self.session.load_run(run)
        except GamedayError as error:
            self.complain(error)
            return
        if recording.complaint:
            self.notify(recording.complaint, severity="warning", markup=False)
        self.push_screen(LiveScreen(Replay(recording.events)))

    def show_writeup(self, handle: RunHandle) -> None:
        """Post-test checklist and write-up of a run that came to its end."""
        self.push_screen(WriteUpScreen(handle))

    def lead(self, handle: RunHandle) -> None:
        """From now on this run is the one that abort means."""
        self.led = handle
        self._unsubscribe.append(handle.subscribe(self.say_changed))

    @property
    def running(self) -> RunHandle | None:
        """The led run, while it can still be aborted."""
        led = self.led
        return led if led and self.unfinished and (led.progress or not led.state.conclusion) else None

    @property
    def unfinished(self) -> bool:
        """Whether the led run still waits for something, if only for its write-up."""
        return self.led is not None and not self.led.over and not self.led.problem

    # Keys that work everywhere

    def action_abort(self) -> None:
        """Ask, with what would be reverted; the dialog's own key does it."""
        if isinstance(self.screen, AbortDialog):
            return
        running = self.running
        if running is None:
            self.notify("There is nothing to abort: this console leads no run.")
            return
        self.push_screen(AbortDialog(running), self._abort_answered)

    def _abort_answered(self, yes: bool | None) -> None:
        running = self.running
        if running is None:
            # The dialog is still there, and a message on it would go with it.
            self.call_later(self.notify, "The run has come to its end meanwhile: there is nothing to abort any more.")
        elif yes:
            self.work_on(running.abort("the operator asked for it"))
            if not (isinstance(self.screen, LiveScreen) and self.screen.view is running):
                self.push_screen(LiveScreen(running, running))

    def action_explain(self) -> None:
        """Explain the pane that has the focus."""
        if isinstance(self.screen, HelpDialog):
            self.pop_screen()
        else:
            self.push_screen(HelpDialog.about(self.screen))

    def action_shade(self) -> None:
        """The other of light and dark."""
        self.theme = themes.LIGHT.name if self.theme == themes.DARK.name else themes.DARK.name

    def action_run(self) -> None:
        """To the led run."""
        if self.led:
            page = self._place_of(self.led)
            self.go_home()
            self.push_screen(page)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The way to the led run is offered on every screen that is not its own."""
        if action == "run":
            return self.led is not None and getattr(self.screen, "handle", None) is not self.led
        return True

    def _place_of(self, led: RunHandle) -> Page:
        """The screen on which the led run is dealt with now."""
        state = led.state
        if not state.confirmed_by and self.unfinished and state.first_of_its_plan:
            return ChecklistScreen(led)
        if state.conclusion and not state.signed and self.unfinished and not led.progress:
            return WriteUpScreen(led)
        return LiveScreen(led, led)

    def action_leave(self) -> None:
        """Leave; while a node is armed only after a question."""
        if isinstance(self.screen, LeaveDialog):
            return
        led = self.led
        unsigned = led and self.unfinished and led.state.conclusion and not led.state.signed
        between = led and self.unfinished and led.progress and led.progress.done
        if led and (unsigned or between or any(node.held for node in led.state.nodes.values())):
            self.push_screen(LeaveDialog(led), lambda yes: self.exit() if yes else None)
        else:
            self.exit()

    def action_help_quit(self) -> None:
        """Ctrl+c, by habit: it ends nothing here, so it is told what does."""
        self.notify("ctrl+q leaves the console; ctrl+x takes the fault back.")

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette offers what the keys of this screen do."""
        for node, binding, enabled, _ in screen.active_bindings.values():
            if binding.id and enabled and binding.id != "palette":
                yield SystemCommand(
                    binding.description,
                    f"{binding.tooltip}  ({keys.shown(binding.key)})",
                    self._later(binding.action, node),
                )

    def _later(self, action: str, node: object) -> Callable[[], None]:
        async def act() -> None:
            await self.run_action(action, cast("Any", node))

        def soon() -> None:
            self.call_later(act)

        return soon
