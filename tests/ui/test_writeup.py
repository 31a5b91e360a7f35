"""The write-up: the row as it will be stored, a contradiction only with a note, delivered or queued."""

from __future__ import annotations

import pytest
from textual.widgets import Input, TextArea

from console.tui.app import GamedayApp
from tests.ui import pages, recordings
from tests.ui.fakes.session import FakeSession
from tests.ui.pages import ids, screen_text, until

SIZE = (80, 24)


async def test_contradicting_the_machine_needs_a_note(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.writeup(app, session, pilot)
        await pilot.press("f5", "ctrl+s")
        await pilot.pause()
        assert session.run.told("sign") == []
        app.screen.query_one("#note", Input).value = "the alert never came"
        await pilot.press("ctrl+s", "ctrl+s")
        assert session.run.told("sign") == []
        assert "Monitoring alerts have cleared" in screen_text(app)
        await pilot.press("y")
        await pilot.pause()
        issues = ("T+6.0 Grafana shows the dip, no alert yet",)
        assert session.run.told("sign") == [("sign", "FAIL", "the alert never came", issues, ())]


async def test_the_row_that_is_shown_follows_what_is_typed(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pages.writeup(app, session, pilot)
        app.screen.query_one("#gaps", TextArea).text = "step 2 is missing"
        await pilot.pause()
        assert "Runbook updates needed: step 2 is missing" in screen_text(app)


@pytest.mark.parametrize(("delivered", "words"), [(True, "✓ delivered"), (False, "○ queued")])
async def test_submit_shows_delivered_or_queued_and_why(session: FakeSession, delivered: bool, words: str) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pages.writeup(app, session, pilot)
        session.run.feed(*recordings.gateway_signed(delivered=delivered))
        await until(pilot, lambda: words in screen_text(app))
        assert ("connection refused" in screen_text(app)) is not delivered
        assert "submit" not in ids(app)
