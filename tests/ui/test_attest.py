"""What no Alertmanager saw stands on the write-up as unknown, and takes the operator's word as such."""

from __future__ import annotations

import msgspec

from console.brief import ItemBrief
from console.state import ExpectationState
from console.terms import Status
from console.tui.app import GamedayApp
from console.tui.widgets.rows import Rows
from tests.ui import pages
from tests.ui.fakes.session import FakeSession
from tests.ui.pages import screen_text, until


async def test_what_no_alertmanager_saw_the_operator_may_attest(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pages.writeup(app, session, pilot)
        run = session.run
        brief = ItemBrief("alert-fires", "GatewayDown fires", within_s=15.0, required=False)
        unknown = ExpectationState(brief, Status.UNKNOWN, "no Alertmanager is configured")
        run.state = msgspec.structs.replace(run.state, expectations={**run.state.expectations, "alert-fires": unknown})
        app.repaint_page()
        await until(pilot, lambda: "GatewayDown fires" in screen_text(app))
        assert "? unknown" in screen_text(app)
        rows = app.screen.query_one(Rows)
        rows.highlighted = rows.option_count - 1
        rows.focus()
        await pilot.press("space", *"seen", "enter")
        await pilot.pause()
        assert run.told("attest") == [("attest", "alert-fires", "seen", Status.PASS)]
        await until(pilot, lambda: "✓ attested" in screen_text(app))
