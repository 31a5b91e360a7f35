"""The charts: holes where nothing was seen, rows that stay in place, the fault's span in words."""

from __future__ import annotations

import re

import pytest

from console.tui.app import GamedayApp
from console.tui.families import Series
from console.tui.screens.live import LiveScreen
from console.tui.widgets.time_chart import TimeChart
from tests.ui import pages, recordings
from tests.ui.fakes.run import FakeRun
from tests.ui.fakes.session import FakeSession
from tests.ui.pages import lead, push, screen_text
from tests.ui.recordings import START_S

SIZES = [(80, 24), (120, 40)]


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40"])
async def test_a_chart_leaves_a_hole_where_nothing_was_seen(session: FakeSession, size: tuple[int, int]) -> None:
    app = GamedayApp(session)
    events = [event for event in recordings.gateway_passed() if not START_S + 22 < event.at_s < START_S + 30]
    async with app.run_test(size=size) as pilot:
        run = lead(app, session, FakeRun(events))
        await push(app, pilot, LiveScreen(run))
        chart = app.screen.query_one("#chart-memory", TimeChart)
        width = chart.content_size.width
        line = [0] * width
        for y in range(chart.content_size.height - 1):
            for x, letter in enumerate(chart.render_line(y).text):
                line[x] += letter in "▀▄█▌▐▖▗▘▝▙▛▜▟▚▞"
        drawn = "".join("x" if column else " " for column in line).strip()
        assert re.fullmatch(r"x+ {2,}x+", drawn)


async def test_a_long_name_on_the_axis_moves_no_row_of_a_chart(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pages.live(app, session, pilot)
        chart = app.screen.query_one("#chart-memory", TimeChart)
        long = Series("sigil", ((START_S, 1.0), (START_S + 9, 8.0)), 0.0, 8.0, " acknowledged a second")
        chart.show([long], (START_S, START_S + 10), None, START_S + 10, None)
        widths = {len(chart.render_line(y).text) for y in range(chart.content_size.height)}
        assert widths == {chart.content_size.width}


async def test_the_fault_window_is_marked_in_words_too(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pages.live(app, session, pilot)
        assert "━fault━" in screen_text(app)
