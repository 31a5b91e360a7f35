"""What may never happen by accident on the screens: a launch, an abort, a hidden reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events
from textual.widgets import Input

from console import events as ev
from console.terms import Outcome, Reason
from console.tui.app import GamedayApp
from console.tui.screens.abort import AbortDialog
from console.tui.screens.blocked import BlockedDialog
from console.tui.screens.live import LiveScreen
from tests.ui import pages
from tests.ui.fakes.run import FakeBlocker
from tests.ui.fakes.session import FakeSession
from tests.ui.pages import SCENES, screen_text, until

SIZE = (80, 24)


async def test_a_paste_into_the_confirm_input_is_refused_with_a_sentence(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pages.confirm(app, session, pilot)
        app.screen.query_one(Input).post_message(events.Paste("redfin\n"))
        await until(pilot, lambda: "a paste is not taken here" in screen_text(app))
        assert app.screen.query_one(Input).value == ""
        await pilot.press("ctrl+g")
        assert session.run.told("launch") == []


async def test_the_apps_own_clipboard_is_refused_too(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.confirm(app, session, pilot)
        app.copy_to_clipboard("redfin")
        await pilot.press("ctrl+v", "ctrl+g")
        assert app.screen.query_one(Input).value == ""
        assert session.run.told("launch") == []


async def test_a_wrong_name_never_launches(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.confirm(app, session, pilot)
        await pilot.press(*"bluefin", "ctrl+g")
        await pilot.pause()
        assert session.run.told("launch") == []


async def test_enter_never_launches(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.confirm(app, session, pilot)
        await pilot.press(*"redfin", "enter")
        await pilot.pause()
        assert session.run.told("launch") == []


async def test_the_typed_name_launches_once_and_shows_the_live_view(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.confirm(app, session, pilot)
        await pilot.press(*"redfin", "ctrl+g", "ctrl+g")
        await pilot.pause()
        assert session.run.told("launch") == [("launch", "redfin")]
        assert isinstance(app.screen, LiveScreen)


async def test_nothing_launches_while_something_stands_in_the_way(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.confirm(app, session, pilot)
        session.run.blockers = [FakeBlocker("greenfin is not reachable", "start its sshd", "link:greenfin")]
        await pilot.press(*"redfin", "ctrl+g")
        await pilot.pause()
        assert session.run.told("launch") == []
        assert isinstance(app.screen, BlockedDialog)


async def test_a_blocked_launch_lists_all_reasons_at_once_with_their_fixes(session: FakeSession) -> None:
    app = GamedayApp(session)
    session.run.blockers = [
        FakeBlocker("redfin carries a trace of run b8t5n3wd", "gameday sweep --revert takes it back", "leftovers"),
        FakeBlocker("greenfin is not reachable", "start its sshd", "link:greenfin"),
    ]
    async with app.run_test(size=SIZE) as pilot:
        await pages.checklist(app, session, pilot)
        await pilot.press("c")
        await pilot.pause()
        shown = screen_text(app)
        for words in (
            "TPM notified",
            "b8t5n3wd",
            "gameday sweep --revert",
            "greenfin is not reachable",
            "start its sshd",
        ):
            assert words in shown


async def test_a_reasons_number_checks_it_again(session: FakeSession) -> None:
    app = GamedayApp(session)
    session.run.blockers = [FakeBlocker("greenfin is not reachable", "start its sshd", "link:greenfin")]
    async with app.run_test(size=SIZE) as pilot:
        await pages.checklist(app, session, pilot)
        await pilot.press("c")
        await pilot.pause()
        await pilot.press("2")
        await pilot.pause()
        assert ("recheck", "link:greenfin") in session.run.said
        assert "greenfin" not in screen_text(app).split("reason")[-1]


NO_RUN = ("home", "experiment", "history", "replay", "chaos", "chaos-acts")
"""Scenes in which this console leads no run; abort from the chaos panel is tested beside it."""


@pytest.mark.parametrize("scene", [name for name in SCENES if name not in NO_RUN])
async def test_abort_works_from_every_screen_of_a_run(session: FakeSession, scene: str) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await SCENES[scene](app, session, pilot)
        if scene == "writeup":
            session.run.state = session.run.state.__class__(started=session.run.state.started)
        await pilot.press("ctrl+x")
        await pilot.pause()
        assert isinstance(app.screen, AbortDialog)
        assert session.run.told("abort") == []
        await pilot.press("y")
        await pilot.pause()
        assert len(session.run.told("abort")) == 1


@pytest.mark.parametrize("over", ["f1", "n", "ctrl+p"])
async def test_abort_works_over_dialogs(session: FakeSession, over: str) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.live(app, session, pilot)
        await pilot.press(over)
        await pilot.pause()
        await pilot.press("ctrl+x")
        await pilot.pause()
        assert isinstance(app.screen, AbortDialog)


async def test_abort_works_from_home_while_a_run_goes_on(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.live(app, session, pilot)
        app.go_home()
        await pilot.press("ctrl+x", "y")
        await pilot.pause()
        assert len(session.run.told("abort")) == 1
        assert isinstance(app.screen, LiveScreen)


async def test_abort_says_first_what_it_reverts_and_in_how_long(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.live(app, session, pilot)
        await pilot.press("ctrl+x")
        await pilot.pause()
        assert "redfin: the fault is taken back, in at most 15 s" in screen_text(app)


async def test_the_question_whether_to_abort_ends_with_the_run(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pages.live(app, session, pilot)
        await pilot.press("ctrl+x")
        await until(pilot, lambda: isinstance(app.screen, AbortDialog))
        now_s = session.run.state.now_s
        session.run.feed(ev.Concluded(at_s=now_s + 1, outcome=Outcome.PASSED, reason=Reason.NONE, sentence="well"))
        await until(pilot, lambda: isinstance(app.screen, LiveScreen))
        await until(pilot, lambda: "The run has come to its end" in screen_text(app))
        assert session.run.told("abort") == []


async def test_the_abort_key_twice_aborts_nothing(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.live(app, session, pilot)
        await pilot.press("ctrl+x", "ctrl+x", "escape")
        await pilot.pause()
        assert session.run.told("abort") == []


async def test_pasting_losing_focus_and_resizing_neither_launch_nor_abort(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.confirm(app, session, pilot)
        await pilot.press(*"redfin")
        for _ in range(2):
            app.post_message(events.AppBlur())
            app.screen.post_message(events.Paste("y\n"))
            await pilot.resize_terminal(40, 10)
            app.post_message(events.AppFocus())
            await pilot.resize_terminal(80, 24)
            await pilot.press("ctrl+x")
            app.screen.post_message(events.Paste("y"))
            await pilot.pause()
            await pilot.press("escape")
        assert session.run.told("launch") == []
        assert session.run.told("abort") == []


async def test_read_only_has_no_launch_binding(tmp_path: Path) -> None:
    session = FakeSession(tmp_path, read_only=True)
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.experiment(app, session, pilot)
        assert "launch" not in {binding.id for _, binding, _, _ in app.screen.active_bindings.values()}
        await pilot.press("l")
        await pilot.pause()
        assert session.prepared == []
        await pages.confirm(app, session, pilot)
        assert "fire" not in {binding.id for _, binding, _, _ in app.screen.active_bindings.values()}


async def test_an_experiment_that_cannot_run_here_cannot_be_prepared(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.home(app, session, pilot)
        app.show_experiment("network-partition")
        await pilot.pause()
        await pilot.press("l")
        await pilot.pause()
        assert session.prepared == []


async def test_what_goes_wrong_in_a_command_is_said_in_a_sentence(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pages.checklist(app, session, pilot)
        session.run.breaks = "the run's folder is full"
        await pilot.press("a")
        await until(pilot, lambda: "the run's folder is full" in screen_text(app))


async def test_why_a_launch_failed_stays_beside_the_name_until_one_goes_on(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.confirm(app, session, pilot)
        session.run.breaks = (
            "redfin is held by run k7f3abcd of operator ben: wait until it has ended, or choose another"
        )
        await pilot.press(*"redfin", "ctrl+g")
        await until(pilot, lambda: "choose another. ctrl+g tries again." in " ".join(screen_text(app).split()))
        app.repaint_page()
        await pilot.pause()
        assert "not launched" in screen_text(app)
        await pilot.press("backspace")
        await until(pilot, lambda: "not launched" not in screen_text(app))


async def test_leaving_while_a_node_is_armed_asks_first(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.live(app, session, pilot)
        await pilot.press("ctrl+q", "ctrl+q")
        await pilot.pause()
        assert app.is_running
        assert "armed by run k3n9m2pq" in screen_text(app)


async def test_ctrl_c_ends_nothing_and_says_what_does(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pages.live(app, session, pilot)
        await pilot.press("ctrl+c")
        await until(pilot, lambda: "ctrl+q leaves the console" in screen_text(app))
        assert app.is_running


async def test_leaving_with_an_unsigned_write_up_asks_first(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.concluded(app, session, pilot)
        await pilot.press("ctrl+q")
        await pilot.pause()
        assert app.is_running
        assert "The write-up of run k3n9m2pq is not signed." in screen_text(app)


@pytest.mark.parametrize("scene", list(SCENES))
async def test_each_key_pressed_twice_is_harmless(session: FakeSession, scene: str) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await SCENES[scene](app, session, pilot)
        bindings = [active.binding for active in app.screen.active_bindings.values()]
        for binding in bindings:
            if binding.id in ("quit", "submit", None):
                continue
            await pilot.press(binding.key, binding.key)
            await pilot.pause()
            await pilot.press("escape", "escape")
        assert session.run.told("abort") == []
        assert session.run.told("launch") == []
