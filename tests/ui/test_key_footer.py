"""The footer is drawn anew when its keys change, and only then."""

from __future__ import annotations

import pytest
from textual.widgets._footer import FooterKey

from console.tui.app import GamedayApp
from tests.ui import pages, recordings
from tests.ui.fakes.session import FakeSession
from tests.ui.pages import SCENES, until

SIZE = (80, 24)


def drawn(app: GamedayApp) -> list[FooterKey]:
    return list(app.screen.query(FooterKey))


def labels(app: GamedayApp) -> list[str]:
    return [key.description for key in drawn(app)]


@pytest.mark.parametrize("scene", ["experiment", "checklist", "live", "writeup"])
async def test_a_page_that_is_painted_again_leaves_its_footer_alone(session: FakeSession, scene: str) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await SCENES[scene](app, session, pilot)
        await until(pilot, lambda: "Help" in labels(app))
        before = drawn(app)
        for _ in range(3):
            session.now_s += 3
            app.repaint_page()
            await pilot.pause()
        assert drawn(app) == before, "these are other widgets"


async def test_the_footer_follows_the_cursor_of_the_checklist(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.checklist(app, session, pilot)
        await until(pilot, lambda: labels(app)[:3] == ["Tick", "Back", "Fail"])
        assert "Override" in labels(app)
        await pilot.press("down")
        await until(pilot, lambda: "Recheck" in labels(app))
        assert not {"Tick", "Fail", "Override"} & set(labels(app))
        await pilot.press("up")
        await until(pilot, lambda: "Override" in labels(app))


async def test_the_footer_offers_the_write_up_once_there_is_a_verdict(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.live_at(15)(app, session, pilot)
        await until(pilot, lambda: "Note" in labels(app))
        assert "Write-up" not in labels(app)
        session.run.feed(*recordings.gateway_taken_back())
        app.repaint_page()
        await until(pilot, lambda: "Write-up" in labels(app))
