"""Trials on the screen: how many passed, what is left, and what the sample says of the bar."""

from __future__ import annotations

import pytest

from console.tui.app import GamedayApp
from console.tui.screens.abort import AbortDialog
from console.tui.screens.confirm import ConfirmScreen
from console.tui.screens.experiment import ExperimentScreen
from console.tui.screens.live import LiveScreen
from console.tui.widgets.trials_line import TrialsLine, strip, trials_line
from tests.ui import recordings
from tests.ui.fakes.run import FakeRun, after, trial_run
from tests.ui.fakes.session import FakeSession
from tests.ui.pages import lead, push, screen_text
from tests.ui.recordings import START_S


@pytest.mark.parametrize(
    ("signs", "width", "words"),
    [
        (
            "✓✓✓✓✗✓",
            100,
            "trial 7 of 20 · 5 passed · 1 failed · 83.3 % (43.6-97 %) · about 7 min left   ✓✓✓✓✗✓●·············",
        ),
        ("✓✓", 70, "trial 3 of 20 · 2 passed · 100 % (34.2-100 %) · about 9 min left"),
        ("", 60, "trial 1 of 20 · 0 passed   ●···················"),
        ("✓○", 80, "trial 3 of 20 · 1 passed · 1 not run · 100 % (20.7-100 %) · about 9 min left"),
    ],
)  # fmt: skip
def test_the_line_tells_count_rate_interval_and_a_sign_for_each_trial(signs: str, width: int, words: str) -> None:
    line = trials_line(after(signs), width, START_S + 30 * len(signs)).plain
    assert line == words
    assert len(line) <= width


def test_where_there_is_no_room_the_signs_around_the_trial_that_is_on_are_shown() -> None:
    cells = strip(after("✓" * 499 + "✗", trials=1000), 20).plain
    assert "✗●·" in cells
    assert (cells[0], cells[-1], len(cells)) == ("…", "…", 20)


async def test_the_live_screen_shows_the_trials_and_offers_no_write_up_of_one(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        run = lead(app, session, trial_run(after("✓✓✓✓✓✓"), recordings.gateway_passed()[:-6]))
        await push(app, pilot, LiveScreen(run, run))
        assert "trial 7 of 20 · 6 passed · 100 % (61-100 %)" in screen_text(app)
        assert "opens the post-test checklist" not in screen_text(app)
        await pilot.press("w")
        assert isinstance(app.screen, LiveScreen)
        await pilot.press("ctrl+x")
        assert isinstance(app.screen, AbortDialog), "between two trials there is still something to abort"
        await pilot.press("y")
        await app.workers.wait_for_complete()
        assert run.told("abort")


async def test_at_the_end_the_screen_says_what_the_sample_shows_and_where_the_row_is(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        over = after("✓" * 18 + "✗", over=True, stopped="SIGINT", row="✓ delivered: CHAOS-TEST-RESULTS-1")
        run = lead(app, session, trial_run(over, recordings.gateway_passed()))
        await push(app, pilot, LiveScreen(run, run))
        text = " ".join(screen_text(app).split())
        assert "FAIL: 18 of 19 trials passed: 94.7 %, not above the bar of 95 %" in text
        assert "1 not begun: SIGINT" in text
        assert "✓ delivered: CHAOS-TEST-RESULTS-1" in text
        assert not app.unfinished


async def test_a_run_that_is_no_trial_has_no_line_of_trials(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(80, 24)) as pilot:
        run = lead(app, session, FakeRun(recordings.gateway_passed()[:-6]))
        await push(app, pilot, LiveScreen(run, run))
        assert not app.screen.query_one(TrialsLine).display


async def test_the_number_of_trials_is_set_among_the_parameters_and_told_before_the_launch(
    session: FakeSession,
) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, ExperimentScreen)
        await pilot.press("p", *"trials=20", "enter")
        await pilot.pause()
        assert "20 trials" in screen_text(app)
        run = lead(app, session, trial_run(after(""), recordings.gateway_until_launch()))
        await push(app, pilot, ConfirmScreen(run))
        assert "20 trials: this launch is for all" in screen_text(app)
