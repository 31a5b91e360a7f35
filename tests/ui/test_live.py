"""The live screen says of each kind of fault what matters there, and never hides what is not well."""

from __future__ import annotations

import msgspec
import pytest

from console import events as ev
from console.brief import ItemBrief
from console.run.verdict import conclude
from console.state import RunState, fold_all
from console.terms import Outcome, Phase, Reason, Status
from console.tui.app import GamedayApp
from console.tui.families import charts, families
from console.tui.narrate import headline, without_repeats
from console.tui.screens.live import LiveScreen
from console.tui.widgets.big_line import BigLine
from console.tui.widgets.boot_order import order_lines
from console.tui.widgets.expectation_list import expectation_lines
from tests.ui import pages, recordings
from tests.ui.fakes.run import FakeRun
from tests.ui.fakes.session import FakeSession
from tests.ui.pages import ids, lead, push, screen_text
from tests.ui.recordings import START_S

SIZE = (80, 24)
SIZES = [(80, 24), (120, 40)]

REBOOT = "node-reboot on redfin"
BOOTED = ev.NodeBooted(
    at_s=START_S + 40,
    node="redfin",
    gone_after_s=1.5,
    back_after_s=12.25,
    error_s=0.3,
    marks={"sshd": 1.0, "llm-gateway": 2.5},
    missing=("sag-ui",),
)


def of(fault: str) -> RunState:
    return fold_all([recordings.gateway_started(fault=fault)])


@pytest.mark.parametrize(
    ("fault", "first"),
    [
        ("disk-fill /tmp by 10GB, held for 60 s on redfin", "disk"),
        ("memory-pressure 70 %, held for 30 s on greenfin", "memory"),
        ("cpu-pressure on every core, held for 30 s on greenfin", "cpu"),
        ("network-partition, held for 60 s on greenfin", "answers"),
        ("connection-flood up to the limit, held for 60 s on bluefin", "connections"),
        (REBOOT, "answers"),
    ],
)
def test_what_the_fault_is_about_is_charted_first(fault: str, first: str) -> None:
    state = of(fault)
    assert charts(state)[0] == first
    assert set(charts(state)) <= families(state).keys()


def test_swap_is_charted_beside_the_memory_and_a_node_without_any_says_so() -> None:
    state = of("memory-pressure 70 %, held for 30 s on greenfin")
    assert charts(state)[:2] == ("memory", "swap")
    used = {"greenfin": {"swap_used_bytes": 1e9, "swap_total_bytes": 4e9}, "bluefin": {"swap_total_bytes": 0.0}}
    told = [ev.Sampled(at_s=START_S + 1, node=node, values=values) for node, values in used.items()]
    swap = {one.label: one.value for one in families(fold_all([recordings.gateway_started(), *told]))["swap"]}
    assert swap == {"greenfin": "25 %", "bluefin": "none"}


def test_a_silence_is_charted_in_words() -> None:
    told = [ev.Sampled(at_s=START_S + t, node="greenfin", values={"answers:ping": v}) for t, v in ((1, 1.0), (2, 0.0))]
    (series,) = families(fold_all([recordings.gateway_started(), *told]))["answers"]
    assert (series.label, series.value, series.name(1.0)) == ("ping", "no", "yes")


async def test_a_node_that_nobody_reaches_is_named_with_its_age(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pages.live(app, session, pilot)
        assert "unreachable" not in screen_text(app)
        session.set_node("bluefin", up=False, why="no route to host", seen_at_s=session.now_s - 12)
        app.repaint_page()
        await pilot.pause()
        assert "✗ bluefin unreachable 12 s ago  no route to host" in screen_text(app)


async def test_a_reboot_shows_the_gap_and_the_order_of_services(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        run = lead(app, session, FakeRun([recordings.gateway_started(fault=REBOOT), BOOTED]))
        await push(app, pilot, LiveScreen(run, run))
        shown = screen_text(app)
    for words in ("gone at T+1.5 s, back at T+12.2 s ± 0.3", "1.00 s  sshd", "2.50 s  llm-gateway", "sag-ui"):
        assert words in shown


def test_a_node_that_reboots_is_away_for_so_long() -> None:
    gone = ev.LinkChanged(at_s=START_S + 10, node="redfin", up=False, why="gone")
    state = fold_all([recordings.gateway_started(fault=REBOOT), gone])
    assert [line.plain for line in order_lines(state, START_S + 15, 50, 9)] == ["✗ redfin is away, for 5 s"]


def test_a_narrow_order_has_names_instead_of_bars() -> None:
    lines = order_lines(fold_all([recordings.gateway_started(fault=REBOOT), BOOTED]), START_S + 41, 32, 5)
    assert [line.plain for line in lines] == [
        "gone T+1.5 s, back T+12.2 s", "1.00 s  sshd", "2.50 s  llm-gateway", "✗ not active: sag-ui",
    ]  # fmt: skip


def test_an_order_that_is_too_long_says_how_much_is_left_out() -> None:
    lines = order_lines(fold_all([recordings.gateway_started(fault=REBOOT), BOOTED]), START_S + 41, 50, 3)
    assert [line.plain for line in lines][-1] == "and 3 more"


def test_a_proof_whose_counts_alone_have_changed_is_told_once() -> None:
    seen = ("11 packets dropped", "23 packets dropped", "no packet is dropped")
    log = [ev.EffectJudged(at_s=START_S, node="greenfin", status=Status.PASS, evidence=words) for words in seen]
    assert without_repeats(log) == [log[0], log[2]]


def test_what_comes_before_a_blow_is_said_in_the_headline() -> None:
    told = "in progress: a backup is being made"
    log: list[ev.AnyEvent] = [
        recordings.gateway_started(),
        ev.PhaseEntered(at_s=START_S, phase=Phase.PROVE_EFFECT),
        ev.EffectJudged(at_s=START_S, node="redfin", status=Status.PENDING, evidence=told),
    ]
    assert headline(fold_all(log), START_S).next == "a backup is being made"
    struck = ev.EffectJudged(at_s=START_S + 1, node="redfin", status=Status.PASS, evidence="9 are gone")
    assert headline(fold_all([*log, struck]), START_S + 1).next != "a backup is being made"


def test_the_verdict_says_how_many_expectations_were_missed() -> None:
    missed = ev.ExpectationJudged(at_s=START_S + 30, id="health", status=Status.FAIL, observed="no answer")
    end = ev.Concluded(
        at_s=START_S + 31, outcome=Outcome.FAILED, reason=Reason.EXPECTATION, sentence="failed: no answer"
    )
    head = headline(fold_all([recordings.gateway_started(), missed, end]), START_S + 32)
    assert (head.phase, head.next) == ("✗ failed", "1 of 3 missed")


def test_the_reason_of_a_miss_is_read_to_its_end_where_there_is_room() -> None:
    why = "not met within 30 s: no answer: the connection is refused or closed, as it was all the time"
    missed = ev.ExpectationJudged(at_s=START_S + 30, id="health", status=Status.FAIL, observed=why)
    state = fold_all([recordings.gateway_started(), missed])
    told = {
        spare: [
            line.plain.strip()
            for line in expectation_lines(
                state.expectations["health"], state, START_S + 31, 60, roomy=True, spare=spare
            )
        ]
        for spare in (0, 1)
    }
    assert len(told[0]) == 2
    assert told[0][1].endswith("…")
    assert " ".join(told[1][1:]) == why


def test_an_alert_says_when_it_fired_and_when_it_cleared() -> None:
    briefs = (
        ItemBrief("fires", "Monitoring notices", 20, alert="EventsLate", alert_is="fired"),
        ItemBrief("clears", "The alert clears", 30, after="revert", alert="EventsLate", alert_is="cleared"),
    )
    judged = [
        ev.ExpectationJudged(
            at_s=START_S + 30, id=name, status=Status.PASS, observed="seen", after_s=after_s, error_s=0.6
        )
        for name, after_s in (("fires", 6.21), ("clears", 14.0))
    ]
    state = fold_all([msgspec.structs.replace(recordings.gateway_started(), expectations=briefs), *judged])
    told = [
        expectation_lines(one, state, START_S + 31, 70, roomy=True)[0].plain.rstrip()
        for one in state.expectations.values()
    ]
    assert [line.rpartition("  ")[2].strip() for line in told] == [
        "fired after 6.2 s ± 0.6",
        "cleared after 14.0 s ± 0.6",
    ]


async def test_what_is_not_met_is_shown_where_there_is_no_room_for_all(session: FakeSession) -> None:
    many = tuple(ItemBrief(f"item-{number}", f"item {number}", within_s=30.0) for number in range(12))
    told = [
        ev.ExpectationJudged(at_s=START_S + 9, id=f"item-{n}", status=Status.PASS, observed="yes") for n in range(9)
    ]
    missed = ev.ExpectationJudged(at_s=START_S + 9, id="item-11", status=Status.FAIL, observed="no")
    app = GamedayApp(session)
    async with app.run_test(size=(80, 24)) as pilot:
        run = lead(app, session, FakeRun([recordings.gateway_started(expectations=many), *told, missed]))
        await push(app, pilot, LiveScreen(run, run))
        shown = screen_text(app)
    assert "missed  item 11" in shown
    assert "met" in shown


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
    injected = ev.Injected(at_s=now_s, node="redfin")
    end = ev.Concluded(at_s=now_s + 7, outcome=Outcome.ABORTED, reason=Reason.OPERATOR, sentence="asked")
    assert headline(fold_all([end], fold_all([injected, *clean], state)), now_s + 8).next == "fault proven gone"
    assert headline(fold_all([end], fold_all([injected, *clean[1:]], state)), now_s + 8).next == "by the operator"


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


def test_a_proof_that_says_nothing_new_is_told_once() -> None:
    proofs = [
        ev.EffectJudged(at_s=float(i), node="bluefin", status=status, evidence="57 held")
        for i, status in enumerate([Status.PASS, Status.PASS, Status.FAIL, Status.FAIL, Status.PASS])
    ]
    assert [proof.at_s for proof in without_repeats(proofs)] == [0.0, 2.0, 4.0]
