"""What the screens show: ages, gaps, words beside colours, the keys, small terminals."""

from __future__ import annotations

import re
import shlex

import pytest
from textual.binding import Binding
from textual.widgets import Input, TextArea

from console import events as ev
from console.faults.needs import Lack
from console.run.readiness import Readiness
from console.run.verdict import conclude
from console.state import fold_all
from console.terms import Outcome, Reason, Status
from console.tui import keys
from console.tui.app import GamedayApp
from console.tui.families import Series
from console.tui.narrate import headline, without_repeats
from console.tui.screens.checklist import ChecklistScreen
from console.tui.screens.confirm import ConfirmScreen
from console.tui.screens.help import HelpDialog
from console.tui.screens.home import HomeScreen
from console.tui.screens.live import LiveScreen
from console.tui.widgets.big_line import BigLine
from console.tui.widgets.rows import Rows
from console.tui.widgets.time_chart import TimeChart
from tests.ui import pages, recordings
from tests.ui.fakes.experiment import ready
from tests.ui.fakes.plans import flood_scenario, plan_for
from tests.ui.fakes.run import FakeRun
from tests.ui.fakes.session import FakeSession
from tests.ui.pages import SCENES, lead, push, screen_text, until
from tests.ui.recordings import START_S

SIZE = (80, 24)
SIZES = [(80, 24), (120, 40)]


def ids(app: GamedayApp) -> set[str | None]:
    return {active.binding.id for active in app.screen.active_bindings.values()}


async def test_a_number_shows_its_age_after_three_seconds_and_a_question_mark_after_ten(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pages.home(app, session, pilot)
        assert re.search(r"cpu +31 % +[▁-█]", screen_text(app))
        session.now_s += 5
        app.repaint_page()
        await pilot.pause()
        assert "cpu  31 % 5 s ago" in screen_text(app)
        session.now_s += 6
        app.repaint_page()
        await pilot.pause()
        shown = screen_text(app)
        assert re.search(r"cpu +\?", shown)
        assert "31 %" not in shown
        assert "? unreachable 11 s ago" in shown
        assert "● active" not in shown


async def test_a_lost_node_says_why(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        session.set_node("greenfin", up=False, why="connection refused")
        await pages.home(app, session, pilot)
        assert "✗ unreachable 0 s ago" in screen_text(app)
        assert "  connection refused" in screen_text(app)


async def test_the_filter_narrows_the_list_and_esc_shows_all(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pages.home(app, session, pilot)
        await pilot.press("slash", *"high ready")
        await pilot.pause()
        shown = screen_text(app)
        assert "postgres-crash" in shown
        assert "llm-gateway-kill" not in shown
        await pilot.press("escape")
        await pilot.pause()
        assert "llm-gateway-kill" in screen_text(app)


async def test_esc_ends_the_filter_from_the_list_too(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pages.home(app, session, pilot)
        await pilot.press("slash", *"high", "enter", "escape")
        await pilot.pause()
        assert "llm-gateway-kill" in screen_text(app)
        assert not app.screen.query_one("#filter").display


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


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40"])
async def test_the_room_reads_phase_time_and_what_is_expected_next(session: FakeSession, size: tuple[int, int]) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=size) as pilot:
        await pages.live(app, session, pilot)
        assert app.screen.query_one(BigLine).tooltip == "observe  T+7 s  health by T+30 s: 23 s"


def test_the_headline_counts_an_abort_until_the_revert_is_proven() -> None:
    state = fold_all([*recordings.gateway_until_launch(), *recordings.gateway_armed()])
    now_s = state.now_s
    state = fold_all(
        [
            ev.AbortRequested(at_s=now_s, by="ada", why="asked"),
            ev.Reverting(at_s=now_s + 1, node="redfin", why="abort", limit_s=15),
        ],
        state,
    )
    assert headline(state, now_s + 4).next == "reverting redfin: 3 s of 15 s"
    clean = [ev.CleanJudged(at_s=now_s + 5, node=n, status=Status.PASS, evidence="") for n in ("redfin", "bluefin")]
    assert headline(fold_all(clean, state), now_s + 6).phase != "aborting"


async def test_expectations_turn_from_pending_to_met_with_their_times(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pages.live_at(1)(app, session, pilot)
        assert screen_text(app).count("○ pending") == 3
        session.run.feed(*recordings.gateway_observed(13))
        app.repaint_page()
        await pilot.pause()
        assert "T+2.44 ± 0.02 s" in screen_text(app)
        assert "○ pending" not in screen_text(app)


async def test_what_was_not_judged_when_the_run_ended_is_unknown(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pages.live_at(1)(app, session, pilot)
        at_s = session.now_s
        session.run.feed(
            ev.Concluded(at_s=at_s, outcome=Outcome.ABORTED, reason=Reason.OPERATOR, sentence="the operator asked")
        )
        app.repaint_page()
        await pilot.pause()
        assert screen_text(app).count("? unknown") == 3
        assert "○ pending" not in screen_text(app)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("ended", [False, True])
async def test_a_node_that_stays_locked_is_told_with_what_to_type(
    session: FakeSession, size: tuple[int, int], ended: bool
) -> None:
    dirty = [*recordings.gateway_until_launch(), *recordings.gateway_armed(), *recordings.gateway_observed()]
    at_s = START_S + 60
    dirty += [
        ev.Reverting(at_s=at_s, node="redfin", why="observed", limit_s=15),
        ev.Reverted(at_s=at_s + 15, node="redfin", status=Status.FAIL, evidence="killed after 15 s"),
        ev.CleanJudged(at_s=at_s + 16, node="redfin", status=Status.FAIL, evidence="/tmp/x is left"),
        ev.CleanJudged(at_s=at_s + 16, node="bluefin", status=Status.PASS, evidence="no trace"),
    ]
    dirty.append(conclude(fold_all(dirty), at_s + 17))
    run = FakeRun([*dirty, *recordings.gateway_signed()] if ended else dirty)
    app = GamedayApp(session)
    async with app.run_test(size=size) as pilot:
        lead(app, session, run)
        await push(app, pilot, LiveScreen(run, run))
        text = screen_text(app)
        assert "✗ redfin stays locked." in text
        assert "gameday sweep --revert" in text
        assert "by hand on redfin" in text
        assert "bluefin stays" not in text
        assert "copy-hand-revert" in ids(app)


async def test_a_note_is_taken_while_the_run_goes_on(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.live(app, session, pilot)
        await pilot.press("n", *"alert!", "enter")
        await pilot.pause()
        assert session.run.told("note") == [("note", "alert!")]


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


async def test_the_checklist_verifies_by_itself_when_it_opens(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.checklist(app, session, pilot)
        assert session.run.told("recheck") == [("recheck", None)]


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


async def test_approval_follows_by_itself_and_continues_only_with_enough(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.approval(app, session, pilot)
        assert "approved" not in ids(app)
        at_s = session.now_s
        session.run.feed(
            ev.ApprovalSeen(
                at_s=at_s, signer="robin@example", role="tpm", vote="for", accepted=True, not_after_s=at_s + 1800
            ),
            ev.ApprovalSettled(at_s=at_s, sufficient=True, summary="1 of 1 tpm"),
        )
        await until(pilot, lambda: "✓ sufficient" in screen_text(app))
        shown = screen_text(app)
        assert "30 min 00 s left, until " in shown
        assert "approved" in ids(app)


async def test_copying_writes_a_file_too(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.approval(app, session, pilot)
        await pilot.press("y")
        assert session.copy_file.read_text() == session.run.approve_line() + "\n"


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


async def test_a_replay_is_moved_through_time(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.replay(app, session, pilot)
        big = app.screen.query_one(BigLine)
        assert str(big.tooltip).startswith("observe  T+7 s")
        await pilot.press("left", "left")
        assert str(big.tooltip).startswith("observe  T+5 s")
        await pilot.press("b")
        assert str(big.tooltip).startswith("observe  T+0 s")
        await pilot.press("f")
        assert str(big.tooltip).startswith("revert  T+16 s")
        assert not ids(app) & {"note", "writeup"}


async def test_f1_explains_the_pane_with_the_focus_and_its_keys(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pages.live(app, session, pilot)
        app.screen.query_one("#chart-restarts").focus()
        await pilot.press("f1")
        await pilot.pause()
        dialog = app.screen
        assert isinstance(dialog, HelpDialog)
        assert "the shaded span is the fault" in dialog.text
        assert "Take the fault back" in dialog.text
        await pilot.press("f1")
        assert isinstance(app.screen, LiveScreen)


async def test_f3_goes_to_where_the_run_waits(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.checklist(app, session, pilot)
        await pilot.press("escape")
        assert isinstance(app.screen, HomeScreen) or not isinstance(app.screen, ChecklistScreen)
        assert "f3 Run" in screen_text(app)
        await pilot.press("f3")
        await pilot.pause()
        assert isinstance(app.screen, ChecklistScreen)
        assert "f3 Run" not in screen_text(app)


async def test_a_resize_leaves_the_focus_where_it_was(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.home(app, session, pilot)
        await pilot.resize_terminal(40, 10)
        await pilot.pause()
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert isinstance(app.screen.focused, Rows)


async def test_the_checklist_names_what_really_comes_next(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        events = recordings.flood_waiting_for_approval()
        run = pages.lead(app, session, FakeRun(events, plan_for(flood_scenario())))
        await pages.push(app, pilot, ChecklistScreen(run))
        assert "c goes on to the approval." in screen_text(app)


async def test_the_commands_that_are_shown_can_be_pasted_line_by_line(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.approval(app, session, pilot)
        rows = [line.strip() for line in screen_text(app).splitlines()]
        first = next(number for number, line in enumerate(rows) if "gameday approve" in line)
        shown = rows[first]
        while shown.endswith("\\"):
            first += 1
            shown = shown.removesuffix("\\") + rows[first]
        assert shlex.split(shown) == shlex.split(session.run.approve_line())


@pytest.mark.parametrize("scene", list(SCENES))
async def test_every_screen_fits_its_footer_or_says_in_one_sentence_what_it_needs(
    session: FakeSession, scene: str
) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZES[0]) as pilot:
        await SCENES[scene](app, session, pilot)
        await pilot.resize_terminal(40, 10)
        await pilot.pause()
        shown = " ".join(screen_text(app).split())
        assert shown.startswith("The console needs 80x24, this terminal has 40x10")
        for width, height in SIZES:
            await pilot.resize_terminal(width, height)
            await pilot.pause()
            lines = screen_text(app).splitlines()
            assert lines[0].strip()
            assert "The console needs" not in screen_text(app)
            assert "^x Abort" in lines[-1]
            assert "f1 Help" in lines[-1]


async def test_light_and_dark_change_places(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.home(app, session, pilot)
        assert app.current_theme.dark
        await pilot.press("f2")
        assert not app.current_theme.dark


async def test_the_key_table_is_what_the_screens_bind(session: FakeSession) -> None:
    bound: set[str] = set()

    def collect(cls: type[object]) -> None:
        for binding in vars(cls).get("BINDINGS", ()):
            if isinstance(binding, Binding) and binding.id:
                bound.add(binding.id)
        below: type[object]
        for below in cls.__subclasses__():
            collect(below)

    from console.tui.screens.dialog import Dialog
    from console.tui.screens.home import FilterInput
    from console.tui.screens.page import Page

    for cls in (Page, Dialog, FilterInput, GamedayApp):
        collect(cls)
    assert bound == keys.all_ids()
    assert all(what and key for _, key, what in keys.key_table())
    assert (
        "everywhere",
        "ctrl+x",
        "Take the fault back: says first what it reverts and in how long",
    ) in keys.key_table()


async def test_only_keys_that_arrive_everywhere_are_bound() -> None:
    plain = re.compile(r"[a-z0-9]|f[0-9]+|ctrl\+[a-z]|up|down|left|right|page(up|down)|space|enter|escape|slash")
    for _, bindings in keys._WHERE:
        for binding in bindings:
            for key in binding.key.split(","):
                assert plain.fullmatch(key), key


@pytest.mark.parametrize("scene", list(SCENES))
async def test_every_status_is_said_without_colour(
    session: FakeSession, scene: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = GamedayApp(session)
    assert app.no_color
    async with app.run_test(size=SIZE) as pilot:
        await SCENES[scene](app, session, pilot)
        shown = screen_text(app)
        glyphs = re.findall(r"[●✗✓○?] (?!\d)(\S+)", shown)
        assert scene in ("experiment", "confirm") or glyphs


def test_a_proof_that_says_nothing_new_is_told_once() -> None:
    proofs = [
        ev.EffectJudged(at_s=float(i), node="bluefin", status=status, evidence="57 held")
        for i, status in enumerate([Status.PASS, Status.PASS, Status.FAIL, Status.FAIL, Status.PASS])
    ]
    assert [proof.at_s for proof in without_repeats(proofs)] == [0.0, 2.0, 4.0]


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
        assert "llm-gateway-kill                  ▁ low     none       ✓ PASS  ?" in screen_text(app)


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
