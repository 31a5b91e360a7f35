"""The checklist before a test: what verifies itself, what a person ticks, what may be overridden."""

from __future__ import annotations

from console.terms import Status
from console.tui.app import GamedayApp
from console.tui.screens.checklist import ChecklistScreen
from console.tui.screens.confirm import ConfirmScreen
from tests.ui import pages, recordings
from tests.ui.fakes.plans import flood_scenario, plan_for
from tests.ui.fakes.run import FakeRun
from tests.ui.fakes.session import FakeSession
from tests.ui.pages import ids, lead, push, screen_text

SIZE = (80, 24)


async def test_the_checklist_verifies_by_itself_when_it_opens(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.checklist(app, session, pilot)
        assert session.run.told("recheck") == [("recheck", None)]


async def test_a_manual_item_is_ticked_only_with_a_note(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.checklist(app, session, pilot)
        await pilot.press("enter", "enter")
        await pilot.pause()
        assert session.run.told("tick") == []
        await pilot.press(*"told", "enter")
        await pilot.pause()
        assert session.run.told("tick") == [("tick", "tpm-notified", "told", Status.PASS)]
        await pilot.press("c")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen)


async def test_a_settled_item_cannot_be_overridden_and_an_open_one_of_low_risk_can(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.checklist(app, session, pilot)
        assert "override" in ids(app)
        await pilot.press("down")
        await pilot.pause()
        assert "override" not in ids(app)


async def test_medium_risk_has_no_override(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        events = [recordings.flood_started(), *recordings.gateway_checklist()]
        run = lead(app, session, FakeRun(events, plan_for(flood_scenario())))
        await push(app, pilot, ChecklistScreen(run))
        assert "tick" in ids(app)
        assert "override" not in ids(app)


async def test_the_checklist_names_what_really_comes_next(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        events = recordings.flood_waiting_for_approval()
        run = pages.lead(app, session, FakeRun(events, plan_for(flood_scenario())))
        await pages.push(app, pilot, ChecklistScreen(run))
        assert "c goes on to the approval." in screen_text(app)
