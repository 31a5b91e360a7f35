"""The keys: the same on every screen, in the help and in the README, and such as arrive in every terminal."""

from __future__ import annotations

import re

from textual.binding import Binding

from console.tui import keys
from console.tui.app import GamedayApp
from console.tui.screens.checklist import ChecklistScreen
from console.tui.screens.help import HelpDialog
from console.tui.screens.home import HomeScreen
from console.tui.screens.live import LiveScreen
from tests.ui import pages
from tests.ui.fakes.session import FakeSession
from tests.ui.pages import screen_text

SIZE = (80, 24)


async def test_f1_explains_the_pane_with_the_focus_and_its_keys(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pages.live(app, session, pilot)
        app.screen.query_one("#chart-restarts").focus()
        await pilot.press("f1")
        await pilot.pause()
        dialog = app.screen
        assert isinstance(dialog, HelpDialog)
        assert "the shaded span is the fault" in dialog.text
        assert "Take the fault back" in dialog.text
        await pilot.press("f1")
        assert isinstance(app.screen, LiveScreen)


async def test_f3_goes_to_where_the_run_waits(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.checklist(app, session, pilot)
        await pilot.press("escape")
        assert isinstance(app.screen, HomeScreen) or not isinstance(app.screen, ChecklistScreen)
        assert "f3 Run" in screen_text(app)
        await pilot.press("f3")
        await pilot.pause()
        assert isinstance(app.screen, ChecklistScreen)
        assert "f3 Run" not in screen_text(app)


async def test_light_and_dark_change_places(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.home(app, session, pilot)
        assert app.current_theme.dark
        await pilot.press("f2")
        assert not app.current_theme.dark


async def test_the_key_table_is_what_the_screens_bind(session: FakeSession) -> None:
    bound: set[str] = set()

    def collect(cls: type[object]) -> None:
        for binding in vars(cls).get("BINDINGS", ()):
            if isinstance(binding, Binding) and binding.id:
                bound.add(binding.id)
        below: type[object]
        for below in cls.__subclasses__():
            collect(below)

    from console.tui.screens.dialog import Dialog
    from console.tui.screens.home import FilterInput
    from console.tui.screens.page import Page

    for cls in (Page, Dialog, FilterInput, GamedayApp):
        collect(cls)
    assert bound == keys.all_ids()
    assert all(what and key for _, key, what in keys.key_table())
    assert (
        "everywhere",
        "ctrl+x",
        "Take the fault back: says first what it reverts and in how long",
    ) in keys.key_table()


async def test_only_keys_that_arrive_everywhere_are_bound() -> None:
    plain = re.compile(r"[a-z0-9]|f[0-9]+|ctrl\+[a-z]|up|down|left|right|page(up|down)|space|enter|escape|slash")
    for _, bindings in keys._WHERE:
        for binding in bindings:
            for key in binding.key.split(","):
                assert plain.fullmatch(key), key
