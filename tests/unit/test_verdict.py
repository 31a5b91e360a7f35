"""The machine's proposal never says passed for what was not seen."""

from __future__ import annotations

import pytest

from console import events as ev
from console.run.verdict import propose
from console.state import fold_all
from console.terms import Outcome, Reason, Status
from tests.unit.runs import T0, passed_events


def with_events(*more: ev.AnyEvent, without: type | None = None, lasts_s: float = 0.0) -> tuple[Outcome, Reason, str]:
    events = [event for event in passed_events(lasts_s=lasts_s) if without is None or not isinstance(event, without)]
    return propose(fold_all([*events, *more]))


def expectation(status: Status) -> ev.ExpectationJudged:
    return ev.ExpectationJudged(at_s=T0 + 18, id="health", status=status, observed="503")


def test_a_run_in_which_everything_was_seen_is_passed() -> None:
    assert with_events() == (Outcome.PASSED, Reason.NONE, "recovered by itself in 2.50 s ± 0.02")


@pytest.mark.parametrize(
    ("status", "reason"),
    [(Status.FAIL, Reason.EXPECTATION), (Status.UNKNOWN, Reason.INCONCLUSIVE), (Status.PENDING, Reason.INCONCLUSIVE)],
)
def test_an_expectation_that_is_not_met_fails_the_run(status: Status, reason: Reason) -> None:
    assert with_events(expectation(status))[:2] == (Outcome.FAILED, reason)


def test_an_expectation_that_nobody_judged_is_not_passed() -> None:
    assert with_events(without=ev.ExpectationJudged)[:2] == (Outcome.FAILED, Reason.INCONCLUSIVE)


def test_a_steady_state_that_nobody_judged_again_is_not_passed() -> None:
    events = [e for e in passed_events() if not (isinstance(e, ev.SteadyStateJudged) and e.when == "recovery")]
    assert propose(fold_all(events))[:2] == (Outcome.FAILED, Reason.INCONCLUSIVE)


@pytest.mark.parametrize("status", [Status.FAIL, Status.UNKNOWN])
def test_a_fault_that_never_showed_proves_nothing(status: Status) -> None:
    effect = ev.EffectJudged(at_s=T0 + 5.3, node="redfin", status=status, evidence="pid 7 is still there")
    outcome, reason, sentence = with_events(effect, without=ev.EffectJudged)
    assert (outcome, reason) == (Outcome.FAILED, Reason.FAULT_NOT_PROVEN)
    assert "pid 7 is still there" in sentence


def test_a_sustained_fault_that_ended_early_is_a_failure() -> None:
    gone = ev.EffectJudged(at_s=T0 + 10, node="redfin", status=Status.FAIL, evidence="no connection is held")
    assert with_events(gone, lasts_s=30.0)[:2] == (Outcome.FAILED, Reason.FAULT_ENDED_EARLY)


def test_a_sustained_fault_that_was_out_of_sight_at_the_end_is_inconclusive() -> None:
    unseen = ev.EffectJudged(at_s=T0 + 10, node="redfin", status=Status.UNKNOWN, evidence="no answer")
    assert with_events(unseen, lasts_s=30.0)[:2] == (Outcome.FAILED, Reason.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("status", "reason"), [(Status.FAIL, Reason.REVERT_NOT_PROVEN), (Status.UNKNOWN, Reason.CLEAN_UNKNOWN)]
)
def test_a_node_that_is_not_proven_clean_is_unsafe_whatever_else_happened(status: Status, reason: Reason) -> None:
    dirty = ev.CleanJudged(at_s=T0 + 19.4, node="redfin", status=status, evidence="a rule is left")
    abort = ev.AbortRequested(at_s=T0 + 19, by="operator", why="enough")
    assert with_events(dirty, abort)[:2] == (Outcome.UNSAFE, reason)


def test_a_node_that_was_armed_and_never_asked_again_is_unsafe() -> None:
    assert with_events(without=ev.CleanJudged)[:2] == (Outcome.UNSAFE, Reason.CLEAN_UNKNOWN)


@pytest.mark.parametrize(
    ("by", "reason"),
    [
        ("operator", Reason.OPERATOR),
        ("operator:ana", Reason.OPERATOR),
        ("lease", Reason.LEASE_LOST),
        ("interrupted", Reason.INTERRUPTED),
        ("error", Reason.ERROR),
    ],
)
def test_an_abort_outweighs_the_expectations(by: str, reason: Reason) -> None:
    abort = ev.AbortRequested(at_s=T0 + 9, by=by, why="enough")
    assert with_events(abort, expectation(Status.FAIL))[:2] == (Outcome.ABORTED, reason)


def test_lost_data_has_a_reason_of_its_own() -> None:
    lost = ev.ItemChecked(at_s=T0 + 20, stage="post", id="no-data-loss", status=Status.FAIL, evidence="3 rows, now 2")
    assert with_events(lost, expectation(Status.FAIL))[:2] == (Outcome.FAILED, Reason.DATA_LOSS)


def test_rows_that_an_expectation_found_lost_outweigh_other_failures() -> None:
    lost = ev.ExpectationJudged(
        at_s=T0 + 18, id="health", status=Status.FAIL, observed="2 of 9 are gone", data_lost=True
    )
    normal = ev.ItemChecked(
        at_s=T0 + 20, stage="post", id="services-normal", status=Status.FAIL, evidence="one is down"
    )
    assert with_events(lost, normal) == (Outcome.FAILED, Reason.DATA_LOSS, "data was lost: 2 of 9 are gone")


def test_t_counts_from_the_strike_of_a_blow_that_needed_time() -> None:
    struck = ev.EffectJudged(at_s=T0 + 9, node="redfin", status=Status.PASS, evidence="", struck_at_s=T0 + 8.5)
    assert fold_all([*passed_events(), struck]).injected_at_s == T0 + 8.5


def test_a_run_that_injected_nothing_keeps_its_own_reason() -> None:
    told = propose(fold_all(passed_events()[:6] + passed_events()[13:]), (Reason.BASELINE, "the gateway is down"))
    assert told == (Outcome.NOT_RUN, Reason.BASELINE, "the gateway is down")
