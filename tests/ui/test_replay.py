"""A past run is moved through time."""

from __future__ import annotations

from console.tui.app import GamedayApp
from console.tui.widgets.big_line import BigLine
from tests.ui import pages
from tests.ui.fakes.session import FakeSession
from tests.ui.pages import ids

SIZE = (80, 24)


async def test_a_replay_is_moved_through_time(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.replay(app, session, pilot)
        big = app.screen.query_one(BigLine)
        assert str(big.tooltip).startswith("observe  T+7 s")
        await pilot.press("left", "left")
        assert str(big.tooltip).startswith("observe  T+5 s")
        await pilot.press("b")
        assert str(big.tooltip).startswith("observe  T+0 s")
        await pilot.press("f")
        assert str(big.tooltip).startswith("revert  T+16 s")
        assert not ids(app) & {"note", "writeup"}
