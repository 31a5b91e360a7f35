"""A suite: calm tests first, one row for the game day, and an exit code that hides no failure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import msgspec
import pytest

from console import events as ev
from console.plan import library
from console.plan.scenario import Scenario, load_scenario
from console.record import log
from console.record.sections import key_figure
from console.run import suite
from console.run.suite import Entry, calm_first, entry, exit_code, game_day, skipped
from console.state import RunState, fold_all
from console.terms import Category, Outcome, Reason, Risk, Status
from tests.unit.runs import T0, concluded, passed_events, started

WHEN = datetime(2026, 11, 21, 15, 3, tzinfo=timezone(timedelta(hours=1)))
PASSED = Entry("llm-gateway-kill", Outcome.PASSED, "k7f3abcd", "recovered in 2.50 s ± 0.02", 2.5, "it recovered")
FAILED = Entry("disk-fill", Outcome.FAILED, "r2", why="health: no answer", issues=("no alert",), gaps=("runbook: ...",))


def scenario(name: str, category: Category, risk: Risk) -> Scenario:
    return Scenario(
        name=name, title=name, category=category, risk=risk, purpose="p", hypothesis="h", rollback="r"
    )  # fmt: skip


def ended(outcome: Outcome, reason: Reason, *more: ev.AnyEvent) -> RunState:
    end = ev.Concluded(at_s=T0 + 21, outcome=outcome, reason=reason, sentence="why\nit ended")
    return fold_all([started(), *more, end])


def observed(*counts: float, node: str = "bluefin", fault: str = "observation") -> RunState:
    targets = () if fault == "observation" else (node,)
    began = msgspec.structs.replace(started(), targets=targets, nodes=(node,), fault=fault)
    values = [{"connections:federation": count, "connections_max:federation": 60.0} for count in counts]
    samples = [ev.Sampled(at_s=T0 + n, node="bluefin", values=value) for n, value in enumerate(values)]
    return fold_all([began, ev.Injected(at_s=T0, node=node) if targets else began, *samples])


def row(*entries: Entry) -> str:
    return game_day("all", entries, inventory="lab", operator="ann", when=WHEN, suffix="abcd2345").content


def test_calm_tests_come_first_and_a_reboot_last() -> None:
    chosen = [
        scenario("node-reboot", Category.NODE, Risk.HIGH),
        scenario("postgres-crash", Category.DATABASE, Risk.HIGH),
        scenario("network-partition", Category.NETWORK, Risk.MEDIUM),
        scenario("disk-fill", Category.RESOURCE, Risk.MEDIUM),
        scenario("service-stack-restart", Category.SERVICE, Risk.LOW),
        scenario("llm-gateway-kill", Category.SERVICE, Risk.LOW),
        scenario("connections-observe", Category.OBSERVATION, Risk.LOW),
    ]
    assert [each.name for each in sorted(chosen, key=calm_first)] == [
        "connections-observe", "llm-gateway-kill", "service-stack-restart", "disk-fill", "network-partition",
        "postgres-crash", "node-reboot",
    ]  # fmt: skip


def test_every_category_has_its_place() -> None:
    assert set(suite.CALM_FIRST) == set(Category)


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([Outcome.PASSED, Outcome.PASSED], 0),
        ([Outcome.NOT_RUN, Outcome.PASSED], 3),
        ([Outcome.PASSED, Outcome.NOT_RUN, Outcome.FAILED], 1),
        ([Outcome.FAILED, Outcome.ABORTED, Outcome.NOT_RUN], 4),
        ([Outcome.ABORTED, Outcome.UNSAFE, Outcome.FAILED], 5),
        ([], 4),
    ],
)
def test_the_worst_outcome_gives_the_exit_code(outcomes: list[Outcome], code: int) -> None:
    assert exit_code(outcomes) == code


@pytest.mark.parametrize("outcome", list(Outcome))
def test_nothing_more_is_broken_after_an_unsafe_or_aborted_run_only(outcome: Outcome) -> None:
    assert suite.stops(outcome) == (outcome in (Outcome.UNSAFE, Outcome.ABORTED))


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        (Outcome.PASSED, "PASS"),
        (Outcome.FAILED, "FAIL"),
        (Outcome.ABORTED, "FAIL"),
        (Outcome.UNSAFE, "FAIL"),
        (Outcome.NOT_RUN, "SKIP"),
    ],
)
def test_only_what_passed_is_a_pass_and_only_what_was_not_run_is_a_skip(outcome: Outcome, word: str) -> None:
    assert Entry("a", outcome).word == word


def test_the_row_of_a_game_day_has_the_agreed_columns() -> None:
    made = game_day("all", [PASSED], inventory="lab", operator="ann", when=WHEN, suffix="abcd2345")
    assert made.hash == "CHAOS-TEST-RESULTS-202611211403-abcd2345"
    assert (made.stage, made.temperature, made.sacred, made.inventory) == ("FRESH", 90.0, True, "lab")


def test_the_row_tells_date_tests_with_figures_issues_and_runbook_updates() -> None:
    assert row(PASSED, FAILED, skipped("node-reboot", "it needs\n3 council")) == (
        "Chaos test results: 1 passed, 1 failed, 1 skipped, suite all, 2026-11-21 14:03 UTC\n\n"
        "Game day\n- date 2026-11-21, suite all, inventory lab, operator ann\n\n"
        "Tests run\n"
        "- ✓ PASS llm-gateway-kill (run k7f3abcd): recovered in 2.50 s ± 0.02\n"
        "- ✗ FAIL disk-fill (run r2): health: no answer\n"
        "- ○ SKIP node-reboot: it needs 3 council\n\n"
        "Issues found\n- disk-fill: no alert\n\n"
        "Runbook updates needed\n- disk-fill: runbook: ..."
    )


def test_a_row_without_issues_and_gaps_says_so() -> None:
    assert row(PASSED).endswith("Issues found\n- none\n\nRunbook updates needed\n- none")


def test_a_game_day_on_which_nothing_was_tried_leaves_no_row() -> None:
    assert not suite.tested([skipped("a", "busy"), Entry("b", Outcome.NOT_RUN, "r1")])
    assert suite.tested([skipped("a", "busy"), Entry("b", Outcome.ABORTED, "r1")])


def test_a_passed_run_is_told_by_its_time_to_recover() -> None:
    told = entry(concluded(passed_events()))
    assert (told.word, told.figure, told.recovered_s) == ("PASS", "recovered in 2.50 s ± 0.02", 2.5)
    assert (told.run, told.issues, told.gaps) == ("k7f3abcd", (), ())


def test_a_failed_run_is_an_issue_and_a_skipped_one_is_none() -> None:
    assert "why it ended" in " ".join(" ".join(entry(ended(Outcome.FAILED, Reason.ERROR)).issues).split())
    assert entry(ended(Outcome.NOT_RUN, Reason.BUSY)).issues == ()


def test_a_note_about_the_runbook_is_an_update_that_is_needed() -> None:
    note = ev.Noted(at_s=T0 + 9, text="runbook: step 3 is out of date", by="ann")
    assert entry(ended(Outcome.PASSED, Reason.NONE, note)).gaps == ("runbook: step 3 is out of date",)


def test_a_run_whose_journal_breaks_off_is_no_pass() -> None:
    assert entry(fold_all(passed_events())).word == "FAIL"


def test_connections_are_told_at_first_and_at_most() -> None:
    assert key_figure(observed(5, 9, 7)) == "federation: 5 connections at first, 9 at most of 60"
    assert "57 at most" in key_figure(observed(5, 57, 6, fault="connection-flood up to the limit"))


def test_connections_are_no_figure_of_a_run_about_something_else() -> None:
    assert key_figure(observed(5, 9, fault="cpu-pressure on bluefin")) == ""
    assert key_figure(observed(5, 9, node="redfin")) == ""


def test_all_services_recovered_is_told_only_when_the_console_saw_it() -> None:
    def seen(status: Status, *, attested: bool = False) -> str:
        item = ev.ItemChecked(at_s=T0 + 8, stage="post", id="services-normal", status=status, attested=attested)
        return key_figure(fold_all([started(), ev.Injected(at_s=T0 + 1, node="redfin"), item]))

    assert seen(Status.PASS) == "all services recovered"
    assert [seen(Status.UNKNOWN), seen(Status.FAIL), seen(Status.PASS, attested=True)] == ["", "", ""]


def test_of_an_aborted_run_nobody_waited_to_see_a_recovery() -> None:
    item = ev.ItemChecked(at_s=T0 + 8, stage="post", id="services-normal", status=Status.PASS)
    events: list[ev.AnyEvent] = [started(), ev.Injected(at_s=T0 + 1, node="redfin"), item]
    ends = {
        outcome: ev.Concluded(at_s=T0 + 9, outcome=outcome, reason=Reason.NONE, sentence="")
        for outcome in (Outcome.FAILED, Outcome.ABORTED)
    }
    assert key_figure(fold_all([*events, ends[Outcome.FAILED]])) == "all services recovered"
    assert key_figure(fold_all([*events, ends[Outcome.ABORTED]])) == ""


def test_services_that_nothing_was_done_to_did_not_recover() -> None:
    item = ev.ItemChecked(at_s=T0 + 8, stage="post", id="services-normal", status=Status.PASS)
    assert key_figure(fold_all([item], observed(node="redfin"))) == ""


def test_a_run_in_which_nothing_was_let_go_has_no_figure() -> None:
    item = ev.ItemChecked(at_s=T0 + 8, stage="post", id="services-normal", status=Status.PASS)
    assert key_figure(fold_all([started(), item])) == ""


def test_the_log_line_has_date_word_and_time_to_recover(tmp_path: Path) -> None:
    log.append(log.line(concluded(passed_events())), tmp_path / "new" / "gameday.log")
    log.append(log.skip_line("node-reboot", "not\nbegun", T0), tmp_path / "new" / "gameday.log")
    first, second = (tmp_path / "new" / "gameday.log").read_text().splitlines()
    local = datetime.fromtimestamp(T0 + 21, UTC).astimezone()
    assert first == (
        f"[{local:%Y-%m-%d %H:%M:%S}] PASS: llm-gateway-kill (run k7f3abcd), recovered in 2.50 s ± 0.02: "
        "recovered by itself"
    )
    assert second.endswith("] SKIP: node-reboot: not begun")


def shipped(name: str) -> list[Scenario]:
    return [load_scenario(Path(file)) for file in library.suite(name, None)]


def test_the_suite_connections_only_observes() -> None:
    assert [(each.name, each.method) for each in shipped("connections")] == [("connections-observe", ())]
    assert [each.name for each in shipped("connections-exhaust")] == ["pg-connection-exhaustion"]


def test_the_gateway_test_waits_at_most_60_seconds() -> None:
    assert [each.name for each in shipped("gateway")] == ["llm-gateway-kill"]
    assert max(each.observe_s for each in shipped("gateway")) <= 60


def test_every_shipped_scenario_is_in_a_suite_so_that_all_is_the_whole_game_day() -> None:
    assert [file.name for file in library.all_files(None) if not load_scenario(file).suites] == []
