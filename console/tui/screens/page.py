"""What every full screen has: title bar, body, footer, and the sentence for small terminals."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.screen import Screen
from textual.widget import Widget

from console.tui import keys
from console.tui.widgets.key_footer import KeyFooter
from console.tui.widgets.title_bar import TitleBar
from console.tui.widgets.too_small import TooSmall, fits

if TYPE_CHECKING:
    from console.tui.app import GamedayApp


class Page(Screen[None]):
    """Base of the full screens."""

    BINDINGS: ClassVar[list[BindingType]] = [keys.BACK]
    PLACE = ""

    _composed = False
    _had_focus: Widget | None = None

    def compose(self) -> ComposeResult:
        """Bar, body, footer."""
        yield TitleBar(self.PLACE)
        with Container(id="body"):
            yield from self.body()
        yield KeyFooter()
        yield TooSmall()

    def body(self) -> ComposeResult:
        """The screen's own widgets."""
        yield from ()

    @property
    def console_app(self) -> GamedayApp:
        """The app, by its own type."""
        return cast("GamedayApp", self.app)

    def on_mount(self) -> None:
        """Decide at once whether there is room."""
        self._composed = True
        self._measure()

    def on_resize(self, event: events.Resize) -> None:
        """A resize changes what is shown, and nothing else."""
        self._measure()
        self.call_after_refresh(self.repaint)

    def on_screen_resume(self) -> None:
        """Show what changed meanwhile."""
        self.call_after_refresh(self.repaint)

    def _measure(self) -> None:
        room = fits(self.app.size)
        if not room and self.focused:
            self._had_focus = self.focused  # what is hidden loses the focus, and nothing gives it back
        self.set_class(not room, "-too-small")
        if room and self._had_focus:
            self.call_after_refresh(self._had_focus.focus)
            self._had_focus = None
        self.set_class(self.app.size.width >= 110, "-wide")
        self.set_class(self.app.size.height >= 34, "-tall")

    def repaint(self) -> None:
        """Bring everything that is shown up to now."""
        if not self._composed or not self.app.is_running or self not in self.app.screen_stack:
            return
        self.query_one(TitleBar).show(**self.console_app.bar())
        if fits(self.app.size):
            self.paint(self.console_app.session.clock())
            self.refresh_bindings()

    def paint(self, now_s: float) -> None:
        """Bring the body up to now, on the console's clock."""

    def action_back(self) -> None:
        """One screen back."""
        self.console_app.go_back()
