"""The chaos panel: what may be hit, what is said before it begins, what nobody knows, and keys pressed twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from console.chaos.wish import Wish
from console.modes import Outlook
from console.tui.app import GamedayApp
from console.tui.modes_words import STATE, aim_state, numbers
from console.tui.screens.abort import AbortDialog
from console.tui.screens.chaos import ChaosScreen
from console.tui.screens.confirm import ConfirmScreen
from console.tui.screens.help import HelpDialog
from console.tui.widgets.rows import Rows
from tests.ui import recordings
from tests.ui.fakes.modes import AIMS, acting
from tests.ui.fakes.run import FakeRun
from tests.ui.fakes.session import FakeSession
from tests.ui.pages import chaos, chaos_acts, lead, screen_text, until
from tests.ui.recordings import START_S

SIZES = [(80, 24), (120, 40)]


def words_on(app: GamedayApp) -> str:
    """The right side in one line, whatever wraps."""
    lines = [line.split("││", 1)[-1].strip(" │") for line in screen_text(app).splitlines()]
    return " ".join(" ".join(lines).split())


async def settle(app: GamedayApp, pilot: Pilot[None]) -> None:
    await app.workers.wait_for_complete()
    app.repaint_page()
    await pilot.pause()


async def test_backend_and_nearest_rate_are_told_before_it_starts(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await chaos(app, session, pilot)
        assert "disk_full files: ENOSPC" in words_on(app)
        await pilot.press("r", "end", "backspace", "backspace", *"30", "enter")
        await settle(app, pilot)
        assert "Made by strace, nearest rate 33.3 % to 30 %" in words_on(app)
        await pilot.press("m")
        await settle(app, pilot)
        assert "disk_fail files: EIO" in words_on(app)
        await pilot.press("b", "t", *["backspace"] * 4, *"5m", "enter")
        await settle(app, pilot)
        assert "Time 5 min 00 s, then its node ends it by itself" in words_on(app)
        await pilot.press("enter")
        await settle(app, pilot)
        assert session.modes.said == [("prepare", Wish("redfin", "llm-gateway", "disk_full", 30.0, 300.0))]
        assert isinstance(app.screen, ConfirmScreen)


async def test_enter_pressed_twice_begins_one_run(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await chaos(app, session, pilot)
        gate = asyncio.Event()
        prepare = session.modes.prepare

        async def slowly(wish: Wish) -> FakeRun:
            made = await prepare(wish)
            await gate.wait()
            return made

        session.modes.prepare = slowly  # type: ignore[method-assign]
        await pilot.press("enter", "enter")
        await until(pilot, lambda: "◐ verifying what must hold before disk_full" in screen_text(app))
        gate.set()
        await settle(app, pilot)
        await pilot.press("escape")
        assert isinstance(app.screen, ChaosScreen)
        await pilot.press("enter")
        await settle(app, pilot)
        assert len(session.modes.said) == 1, "a run that waits for its launch is not begun a second time"
        assert "is not launched yet: F3 goes to it, ctrl+x drops it" in screen_text(app)


async def test_after_the_launch_the_panel_is_back_and_abort_works_there(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(80, 24)) as pilot:
        session.run = FakeRun(recordings.gateway_until_launch())
        await chaos(app, session, pilot)
        await pilot.press("enter")
        await settle(app, pilot)
        await pilot.press(*"redfin", "ctrl+g")
        await settle(app, pilot)
        assert session.run.told("launch") == [("launch", "redfin")]
        assert isinstance(app.screen, ChaosScreen)
        assert "◐ begins" in screen_text(app)
        await pilot.press("ctrl+x")
        assert isinstance(app.screen, AbortDialog)


async def test_production_is_refused_with_its_reason_and_no_key_for_it(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await chaos(app, session, pilot)
        assert "✗ refused" in screen_text(app)
        await pilot.press("down", "down")
        await settle(app, pilot)
        assert "✗ refused: postgresql on bluefin is marked production" in words_on(app)
        await pilot.press("enter", "r", "m", "t", "x")
        await settle(app, pilot)
        assert isinstance(app.screen, ChaosScreen)
        assert session.modes.said == []


async def test_where_nothing_can_make_it_enter_says_why(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        session.modes.backend = Outlook(None, 10.0, "strace is not installed: apt install strace")
        await chaos(app, session, pilot)
        assert "✗ nothing: strace is not installed: apt install strace" in words_on(app)
        await pilot.press("enter")
        await settle(app, pilot)
        assert session.modes.said == []


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40"])
async def test_what_acts_is_told_with_counts_interval_and_lease(session: FakeSession, size: tuple[int, int]) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=size) as pilot:
        await chaos_acts(app, session, pilot)
        shown = words_on(app)
        for told in (
            "Mode disk_full",
            "Failure rate 30 %, 33.3 % now",
            "Disk full 667",
            "Network failures 0",
            "Calls 2000 seen, 667 injected",
            "Rate achieved 33.4 % (95 %: 31.3 to 35.4)",
            "Held ada's console, lease 9 s",
        ):
            assert told in shown
        assert "injected calls/s" in screen_text(app)
        assert "● at 30 %" in screen_text(app)
        session.now_s += 4
        app.repaint_page()
        await pilot.pause()
        assert "lease 5 s" in words_on(app), "a countdown between two looks"
        assert "‖ other" in screen_text(app), "its node is held: no other service of it can be hit"


def test_a_rate_that_is_not_the_one_that_is_due_is_marked() -> None:
    assert dict(numbers(acting(), START_S, wide=False))["Rate achieved"].plain.startswith("33.4 %")
    off = dict(numbers(acting(acts_pct=25.0), START_S, wide=False))["Rate achieved"].plain
    assert off == "! 33.4 % (95 %: 31.3 to 35.4)"
    fresh = msgspec.structs.replace(acting(), achieved=None)
    assert dict(numbers(fresh, START_S, wide=False))["Rate achieved"].plain == "? unknown: no call at this rate yet"


async def test_what_nobody_counts_is_unknown_and_a_mode_left_to_its_node_says_until_when(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        unknown: dict[str, Any] = {"backend": "libfiu", "seen": None, "hit": None, "calls": {}}
        session.modes.acting["redfin"] = acting(START_S, **unknown, until_s=START_S + 90, lease_left_s=90.0)
        await chaos(app, session, pilot)
        shown = words_on(app)
        assert "Calls ? unknown: libfiu keeps no counters" in shown
        assert "Rate achieved ? unknown: libfiu keeps no counters" in shown
        assert "Disk full ? unknown" in shown
        assert "? nobody counts" in shown
        assert "Held until 14:14:50, 1 min 30 s, by its node" in shown


async def test_rate_and_reset_act_on_what_another_one_began(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await chaos_acts(app, session, pilot)
        await pilot.press("r", *["backspace"] * 2, *"101", "enter")
        await settle(app, pilot)
        assert session.modes.said == [], "no rate from 0 to 100 %"
        await pilot.press("r", *["backspace"] * 2, *"50", "enter")
        await settle(app, pilot)
        assert "✓ redfin: the rate is 50 %" in screen_text(app)
        await pilot.press("x", "x")
        await settle(app, pilot)
        assert session.modes.said == [("rate", "redfin", 50.0), ("reset", "redfin")]
        assert "✓ redfin: taken back, proven gone, and the node is free" in screen_text(app)
        assert "○ free" in screen_text(app)
        assert "Last here disk_full at 50 %; achieved:" in words_on(app)


async def test_a_reset_that_is_not_proven_stays_on_the_screen(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await chaos_acts(app, session, pilot)
        session.modes.breaks = "redfin: not proven gone: a point is still on"
        await pilot.press("x")
        await until(pilot, lambda: "✗ redfin: not proven gone: a point is still on" in screen_text(app))
        assert "● at 30 %" in screen_text(app)


async def test_a_node_that_is_not_seen_is_unknown_and_its_numbers_grow_old(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await chaos_acts(app, session, pilot)
        session.modes.unseen = {"redfin": "redfin is not reached: connection lost", "greenfin": "greenfin is away"}
        session.now_s += 5
        app.repaint_page()
        await pilot.pause()
        shown = screen_text(app)
        assert "● at 30 % 5" in shown or "5 s ago" in shown
        assert "? redfin is not reached: connection lost" in shown
        assert "? unseen" in shown


async def test_read_only_shows_all_and_begins_changes_and_ends_nothing(tmp_path: Path) -> None:
    session = FakeSession(tmp_path, read_only=True)
    app = GamedayApp(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await chaos_acts(app, session, pilot)
        assert "Disk full 667" in words_on(app)
        await pilot.press("r", "x", "enter", "down", "enter", "m", "t")
        await settle(app, pilot)
        assert isinstance(app.screen, ChaosScreen)
        assert session.modes.said == []
        assert {active.binding.id for active in app.screen.active_bindings.values()} & {
            "mode-start", "rate", "reset", "for", "mode",
        } == set()  # fmt: skip


async def test_the_end_of_this_consoles_own_run_leads_to_its_write_up(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        lead(app, session, FakeRun(recordings.gateway_passed()[:-6]))
        await chaos(app, session, pilot)
        assert "✓ passed" in screen_text(app)
        assert "F3 opens its write-up" in screen_text(app)


async def test_f1_tells_the_keys_from_the_bindings_and_a_click_begins_nothing(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await chaos(app, session, pilot)
        await pilot.click(Rows, offset=(3, 2))
        await settle(app, pilot)
        assert app.screen.query_one(Rows).chosen == "redfin/sag-ui"
        assert session.modes.said == []
        await pilot.press("f1")
        await pilot.pause()
        assert isinstance(app.screen, HelpDialog)
        assert "Begin the mode on the chosen service, at its launch" in app.screen.text


def test_a_services_state_is_a_glyph_and_a_word_whatever_its_colour() -> None:
    free, _, refused, other = AIMS
    acts = acting(asked_pct=12.5)
    states = [
        aim_state(free, None, "", START_S, begun=False),
        aim_state(free, acts, "", START_S, begun=True),
        aim_state(free, None, "", START_S, begun=True),
        aim_state(free, None, "it is away", START_S, begun=False),
        aim_state(refused, None, "", START_S, begun=False),
        aim_state(other, acts, "", START_S, begun=False),
    ]
    assert [state.plain for state in states] == [
        "○ free", "● at 12.5 %", "◐ begins", "? unseen", "✗ refused", "‖ other",
    ]  # fmt: skip
    assert max(len(state.plain) for state in states) <= STATE
