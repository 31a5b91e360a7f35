"""What the nodes of an experiment lack is told before any checklist."""

from __future__ import annotations

from console.faults.needs import Lack
from console.run.readiness import Readiness
from console.terms import Status
from console.tui.app import GamedayApp
from tests.ui import pages
from tests.ui.fakes.experiment import ready
from tests.ui.fakes.session import FakeSession
from tests.ui.pages import screen_text, until


def lacking(node: str, need: str) -> Readiness:
    return Readiness(node, Status.FAIL, (Lack(need, Status.FAIL),))


async def test_what_a_node_lacks_stands_on_the_experiment_before_any_checklist(session: FakeSession) -> None:
    app = GamedayApp(session)
    lacks = lacking("redfin", "iptables")
    session.set_experiment("llm-gateway-kill", problem=lacks.sentence, needs=(ready("bluefin"), lacks))
    async with app.run_test(size=(120, 40)) as pilot:
        await pages.home(app, session, pilot)
        assert "✗ lacks iptables on redfin (apt install iptables)" in screen_text(app)
        await pilot.press("enter")
        await pilot.pause()
        shown = screen_text(app)
        assert "✗ lacks iptables on redfin (apt install iptables)" in shown
        assert "● bluefin: ready" in shown
        await pilot.press("l")
        await pilot.pause()
        assert session.prepared == []


async def test_what_nobody_knows_of_a_node_is_shown_as_unknown(session: FakeSession) -> None:
    app = GamedayApp(session)
    session.set_experiment("llm-gateway-kill", needs=(Readiness("redfin", Status.UNKNOWN, (), "it was not asked yet"),))
    async with app.run_test(size=(120, 40)) as pilot:
        await pages.home(app, session, pilot)
        assert "? redfin: unknown: it was not asked yet" in screen_text(app)
        assert "llm-gateway-kill                  ▁ low     none       ✓ PASS   ?" in screen_text(app)


async def test_an_experiment_becomes_ready_once_what_it_lacked_was_installed(session: FakeSession) -> None:
    app = GamedayApp(session)
    lacks = lacking("redfin", "iptables")
    session.set_experiment("llm-gateway-kill", problem=lacks.sentence, needs=(lacks,))
    async with app.run_test(size=(120, 40)) as pilot:
        await pages.experiment(app, session, pilot)
        assert "prepare" not in {active.binding.action for active in app.screen.active_bindings.values()}
        session.set_experiment("llm-gateway-kill", problem="", needs=(ready("redfin"),))
        session.now_s += 3
        app.repaint_page()
        await pilot.pause()
        assert "● ready" in screen_text(app)
        await pilot.press("l")
        await until(pilot, lambda: session.prepared == ["llm-gateway-kill"])
