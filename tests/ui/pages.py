"""The screens, each as a scene that tests and pictures open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import msgspec
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static

from console.plan.inventory import Policy
from console.tui.app import GamedayApp
from console.tui.screens.approval import ApprovalScreen
from console.tui.screens.confirm import ConfirmScreen
from console.tui.screens.live import LiveScreen
from tests.ui import recordings
from tests.ui.fakes.modes import acting
from tests.ui.fakes.plans import flood_scenario, plan_for
from tests.ui.fakes.run import FakeRun, after, trial_run
from tests.ui.fakes.session import FakeSession
from tests.ui.recordings import START_S

Scene = Callable[[GamedayApp, FakeSession, Pilot[None]], Awaitable[None]]


def lead(app: GamedayApp, session: FakeSession, run: FakeRun) -> FakeRun:
    """Make it the run that the console leads."""
    session.run = run
    session.now_s = run.state.now_s + 0.3
    session.see_all()
    app.lead(run)
    return run


async def push(app: GamedayApp, pilot: Pilot[None], screen: Screen[Any]) -> None:
    """Show a screen, painted."""
    app.push_screen(screen)
    await pilot.pause()
    app.repaint_page()
    await pilot.pause()


async def home(app: GamedayApp, session: FakeSession, pilot: Pilot[None]) -> None:
    await pilot.pause()
    app.repaint_page()
    await pilot.pause()


async def experiment(app: GamedayApp, session: FakeSession, pilot: Pilot[None]) -> None:
    await home(app, session, pilot)
    await pilot.press("enter")
    await pilot.pause()


async def checklist(app: GamedayApp, session: FakeSession, pilot: Pilot[None]) -> None:
    await experiment(app, session, pilot)
    await pilot.press("l")
    await pilot.pause()
    await app.workers.wait_for_complete()
    await pilot.pause()


async def approval(app: GamedayApp, session: FakeSession, pilot: Pilot[None]) -> None:
    run = lead(app, session, FakeRun(recordings.flood_waiting_for_approval(), plan_for(flood_scenario())))
    await push(app, pilot, ApprovalScreen(run))


async def council(app: GamedayApp, session: FakeSession, pilot: Pilot[None]) -> None:
    plan = plan_for(flood_scenario())
    plan = msgspec.structs.replace(plan, policy=Policy(role="council", quorum=3))
    run = lead(app, session, FakeRun(recordings.council_voting(), plan))
    await push(app, pilot, ApprovalScreen(run))


async def confirm(app: GamedayApp, session: FakeSession, pilot: Pilot[None]) -> None:
    run = lead(app, session, FakeRun(recordings.gateway_until_launch()))
    await push(app, pilot, ConfirmScreen(run))


def live_at(after_s: float) -> Scene:
    async def live(app: GamedayApp, session: FakeSession, pilot: Pilot[None]) -> None:
        events = [
            *recordings.gateway_until_launch(),
            *recordings.gateway_armed(),
            *recordings.gateway_observed(after_s),
        ]
        run = lead(app, session, FakeRun(events))
        session.now_s = START_S + 20.3 + after_s
        session.see_all()
        run.guards = {"bluefin": 9.2, "redfin": 8.7}
        await push(app, pilot, LiveScreen(run, run))

    return live


live = live_at(7)


async def trials(app: GamedayApp, session: FakeSession, pilot: Pilot[None]) -> None:
    run = lead(app, session, trial_run(after("✓✓✓✓✗✓"), recordings.gateway_passed()[:-6]))
    session.now_s = START_S + 180
    session.see_all()
    await push(app, pilot, LiveScreen(run, run))


async def concluded(app: GamedayApp, session: FakeSession, pilot: Pilot[None]) -> None:
    events = recordings.gateway_passed()[:-6]
    run = lead(app, session, FakeRun(events))
    await push(app, pilot, LiveScreen(run, run))


async def writeup(app: GamedayApp, session: FakeSession, pilot: Pilot[None]) -> None:
    await concluded(app, session, pilot)
    await pilot.press("w")
    await pilot.pause()
    app.repaint_page()
    await pilot.pause()


async def history(app: GamedayApp, session: FakeSession, pilot: Pilot[None]) -> None:
    await home(app, session, pilot)
    await pilot.press("h")
    await pilot.pause()


async def replay(app: GamedayApp, session: FakeSession, pilot: Pilot[None]) -> None:
    await history(app, session, pilot)
    await pilot.press("enter")
    await pilot.pause()
    screen = app.screen
    assert isinstance(screen, LiveScreen)
    assert screen.replay
    screen.replay.move_to(START_S + 27)
    app.repaint_page()
    await pilot.pause()


async def chaos(app: GamedayApp, session: FakeSession, pilot: Pilot[None]) -> None:
    await home(app, session, pilot)
    await pilot.press("c")
    await pilot.pause()
    await app.workers.wait_for_complete()
    app.repaint_page()
    await pilot.pause()


async def chaos_acts(app: GamedayApp, session: FakeSession, pilot: Pilot[None]) -> None:
    session.modes.acting["redfin"] = acting()
    await chaos(app, session, pilot)


SCENES: dict[str, Scene] = {
    "home": home,
    "experiment": experiment,
    "checklist": checklist,
    "approval": approval,
    "council": council,
    "confirm": confirm,
    "live": live,
    "trials": trials,
    "writeup": writeup,
    "history": history,
    "chaos": chaos,
    "chaos-acts": chaos_acts,
    "replay": replay,
}


def screen_text(app: GamedayApp) -> str:
    """What stands on the screen, line by line."""
    width, height = app.size
    lines = app.screen._compositor.render_strips()
    return "\n".join(strip.crop(0, width).text.rstrip() for strip in lines[:height])


async def until(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    """Wait until it holds, at most 10 s: a busy machine paints late."""
    for _ in range(200):
        if holds():
            return
        await pilot.pause(0.05)
    raise AssertionError(f"it never came to hold:\n{screen_text(cast(GamedayApp, pilot.app))}")


def ids(app: GamedayApp) -> set[str | None]:
    """The keys that work here and now, by the ids of their bindings."""
    return {active.binding.id for active in app.screen.active_bindings.values()}


def static_text(app: GamedayApp, selector: str) -> str:
    """The words of one Static."""
    return str(app.screen.query_one(selector, Static).render())
