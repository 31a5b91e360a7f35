"""The home screen: the nodes with the age of their numbers, and the filter over the experiments."""

from __future__ import annotations

import re

from textual.content import Content

from console.tui.app import GamedayApp
from console.tui.widgets.rows import Rows
from tests.ui import pages
from tests.ui.fakes.session import FakeSession
from tests.ui.pages import screen_text, until

SIZE = (80, 24)


async def test_a_number_shows_its_age_after_three_seconds_and_a_question_mark_after_ten(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pages.home(app, session, pilot)
        assert re.search(r"cpu +31 % +[▁-█]", screen_text(app))
        session.now_s += 5
        app.repaint_page()
        await pilot.pause()
        assert "cpu  31 % 5 s ago" in screen_text(app)
        session.now_s += 6
        app.repaint_page()
        await pilot.pause()
        shown = screen_text(app)
        assert re.search(r"cpu +\?", shown)
        assert "31 %" not in shown
        assert "? unreachable 11 s ago" in shown
        assert "● active" not in shown


async def test_a_lost_node_says_why(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        session.set_node("greenfin", up=False, why="connection refused")
        await pages.home(app, session, pilot)
        assert "✗ unreachable 0 s ago" in screen_text(app)
        assert "  connection refused" in screen_text(app)


async def test_the_filter_narrows_the_list_and_esc_shows_all(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pages.home(app, session, pilot)
        await pilot.press("slash", *"high ready")
        await pilot.pause()
        shown = screen_text(app)
        assert "postgres-crash" in shown
        assert "llm-gateway-kill" not in shown
        await pilot.press("escape")
        await pilot.pause()
        assert "llm-gateway-kill" in screen_text(app)


async def test_an_experiment_that_is_named_in_full_is_chosen_though_others_hold_its_name(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pages.home(app, session, pilot)
        rows = app.screen.query_one(Rows)
        rows.show([(name, Content(name)) for name in ("chaos-memory-pressure", "memory-pressure")])
        rows.choose("memory-press")
        assert rows.chosen == "chaos-memory-pressure"
        rows.choose("memory-pressure")
        assert rows.chosen == "memory-pressure"
        await pilot.press("slash", *"disk-fill")
        await until(pilot, lambda: rows.chosen == "disk-fill")


async def test_esc_ends_the_filter_from_the_list_too(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pages.home(app, session, pilot)
        await pilot.press("slash", *"high", "enter", "escape")
        await pilot.pause()
        assert "llm-gateway-kill" in screen_text(app)
        assert not app.screen.query_one("#filter").display
