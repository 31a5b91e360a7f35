"""What holds on every screen: it has room or says what it needs, keeps the focus, and tells all without colour."""

from __future__ import annotations

import re

import pytest

from console.tui.app import GamedayApp
from console.tui.widgets.rows import Rows
from tests.ui import pages
from tests.ui.fakes.session import FakeSession
from tests.ui.pages import SCENES, screen_text, until

SIZE = (80, 24)
SIZES = [(80, 24), (120, 40)]


@pytest.mark.parametrize("scene", list(SCENES))
async def test_every_screen_fits_its_footer_or_says_in_one_sentence_what_it_needs(
    session: FakeSession, scene: str
) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZES[0]) as pilot:
        await SCENES[scene](app, session, pilot)
        await pilot.resize_terminal(40, 10)
        await pilot.pause()
        shown = " ".join(screen_text(app).split())
        assert shown.startswith("The console needs 80x24, this terminal has 40x10")
        for width, height in SIZES:
            await pilot.resize_terminal(width, height)
            await until(pilot, lambda: fits(app))


def fits(app: GamedayApp) -> bool:
    """Whether there is a title bar, and a footer with the keys of every screen."""
    shown = screen_text(app)
    first, *_, last = shown.splitlines()
    return bool(first.strip()) and "The console needs" not in shown and "^x Abort" in last and "f1 Help" in last


async def test_a_resize_leaves_the_focus_where_it_was(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.home(app, session, pilot)
        await pilot.resize_terminal(40, 10)
        await pilot.pause()
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert isinstance(app.screen.focused, Rows)


@pytest.mark.parametrize("scene", list(SCENES))
async def test_every_status_is_said_without_colour(
    session: FakeSession, scene: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = GamedayApp(session)
    assert app.no_color
    async with app.run_test(size=SIZE) as pilot:
        await SCENES[scene](app, session, pilot)
        shown = screen_text(app)
        glyphs = re.findall(r"[●✗✓○?] (?!\d)(\S+)", shown)
        assert scene in ("experiment", "confirm") or glyphs
