"""The write-up and its siblings: what was tested, what came of it, signed by whom; the same facts everywhere."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import msgspec

from console import events as ev
from console.brief import ItemBrief
from console.record import report, sections
from console.record.result import encode_result, result
from console.record.writeup import WriteUp, draft, one_test
from console.state import RunState, fold_all
from console.terms import Outcome, Reason, Status
from tests.unit.runs import T0, concluded, passed_events, started

WHEN = datetime(2026, 11, 21, 15, 3, tzinfo=timezone(timedelta(hours=1)))


def restarts(*counts: float) -> list[ev.AnyEvent]:
    return [ev.Sampled(at_s=T0 + n, node="redfin", values={"restarts:llm-gateway": c}) for n, c in enumerate(counts)]


def signed(verdict: str = "PASS", note: str = "") -> ev.Signed:
    return ev.Signed(at_s=T0 + 30, verdict=verdict, by="ana", note=note)  # type: ignore[arg-type]


def failed(*more: ev.AnyEvent) -> RunState:
    """A run in which the gateway did not come back in time."""
    events: list[ev.AnyEvent] = [
        ev.ExpectationJudged(at_s=event.at_s, id="health", status=Status.FAIL, observed="no answer in 30 s")
        if isinstance(event, ev.ExpectationJudged)
        else event
        for event in passed_events()
    ]
    end = ev.Concluded(at_s=T0 + 21, outcome=Outcome.FAILED, reason=Reason.EXPECTATION, sentence="no health")
    return fold_all([*events, *more, end])


def written(state: RunState, *, issues: tuple[str, ...] = (), gaps: tuple[str, ...] = ()) -> WriteUp:
    return one_test(state, verdict="PASS", issues=issues, gaps=gaps, when=WHEN)


def test_the_row_of_one_test_has_the_agreed_columns() -> None:
    row = written(concluded(passed_events()))
    assert row.hash == "CHAOS-TEST-LLM-GATEWAY-KILL-202611211403-k7f3abcd"
    assert (row.stage, row.temperature, row.sacred) == ("FRESH", 85.0, False)


def test_a_write_up_tells_what_was_tested_recovery_time_and_restart_count() -> None:
    state = fold_all([*restarts(0, 0, 1), signed()], concluded(passed_events()))
    text = written(state).content
    assert "Kill the LLM gateway (llm-gateway-kill, risk low)" in text
    assert "recovery: PASS\n- time to recover: 2.50 s ± 0.02\n- restart count: redfin/llm-gateway 1" in text
    assert "signed: PASS by ana" in text


def test_a_write_up_tells_expectations_with_values_and_limits() -> None:
    text = written(concluded(passed_events())).content
    assert "✓ met: Health answers 200 at 2.50 s ± 0.40 (limit 30 s after the inject): 200" in text


def test_a_write_up_tells_what_was_attested_and_what_was_overridden() -> None:
    told: list[ev.AnyEvent] = [
        ev.ItemOverridden(at_s=T0 + 1, id="tpm-notified", reason="nobody there", by="ana"),
        ev.ItemChecked(at_s=T0 + 2, stage="post", id="no-data-loss", status=Status.PASS, attested=True, by="bo"),
    ]
    text = written(fold_all(told, concluded(passed_events()))).content
    assert "before: ! overridden: TPM notified: nobody there (ana)" in text
    assert "after: ✓ pass: No data loss, attested by bo" in text


def test_a_write_up_does_not_speak_of_its_own_delivery() -> None:
    begun = msgspec.structs.replace(started(), post=(ItemBrief("logged", "Results logged"),))
    state = fold_all([begun])
    assert "Results logged" not in written(state).content
    assert "Results logged" in report.plain(state)


def test_a_write_up_holds_the_operators_issues_and_gaps() -> None:
    text = written(concluded(passed_events()), issues=("alert came late",), gaps=("step 3 is wrong",)).content
    assert "Issues found\n- alert came late\n\nRunbook updates needed\n- step 3 is wrong" in text
    assert "Issues found\n- none" in written(concluded(passed_events())).content


def test_a_contradiction_of_the_machine_stands_there_with_its_note() -> None:
    text = written(failed(signed("PASS", "the probe was wrong"))).content
    assert "machine: ✗ failed (expectation): no health" in text
    assert "signed: PASS by ana, note: the probe was wrong" in text


def test_what_the_console_restored_is_no_recovery() -> None:
    restored = ev.RestoredByConsole(
        at_s=T0 + 20, node="redfin", service="llm-gateway", status=Status.PASS, evidence="started"
    )
    text = written(fold_all([restored], concluded(passed_events()))).content
    assert "recovery: FAIL" in text
    assert "restored by the console: llm-gateway on redfin, ✓ pass: started" in text


def test_recovery_is_unknown_where_a_probe_is_and_not_tested_where_nothing_was_injected() -> None:
    unseen = [
        event for event in passed_events() if not (isinstance(event, ev.SteadyStateJudged) and event.when == "recovery")
    ]
    assert sections.recovered(fold_all(unseen)) is Status.UNKNOWN
    assert sections.recovered(fold_all([started()])) is Status.PENDING
    assert sections.recovered(concluded(passed_events())) is Status.PASS


def test_restarts_are_counted_across_a_reset_and_unseen_ones_are_not_zero() -> None:
    assert sections.restart_counts(fold_all([started(), *restarts(3, 3, 4, 0, 1)])) == {"redfin/llm-gateway": 2}
    assert "restart count: not seen" in written(concluded(passed_events())).content


def test_no_control_character_of_a_node_reaches_the_row_or_the_terminal() -> None:
    nasty = ev.CleanJudged(at_s=T0, node="redfin", status=Status.PASS, evidence="a\x1b[2Jb\0c\nd\ud800")
    state = fold_all([nasty], concluded(passed_events()))
    for text in (written(state).content, report.plain(state), report.markdown(state)):
        assert all(c.isprintable() or c == "\n" for c in text)
        assert "b c d" in text


def test_the_draft_proposes_what_the_machine_concluded() -> None:
    assert draft(concluded(passed_events())).verdict == "PASS"
    assert draft(failed()).verdict == "FAIL"
    assert draft(fold_all(passed_events())).verdict == "FAIL"


def test_the_draft_is_seeded_from_notes_findings_and_what_went_wrong() -> None:
    drafted = draft(
        failed(
            ev.Found(at_s=T0, text="the fault ended early"),
            ev.Noted(at_s=T0, text="dashboard lagged", by="ana"),
            ev.Noted(at_s=T0, text="Runbook step 3 is wrong", by="ana"),
            ev.Failed(at_s=T0, where="redfin", what="link lost"),
        )
    )
    assert drafted.issues == (
        "the fault ended early",
        "redfin: link lost",
        "✗ fail: Health answers 200: no answer in 30 s",
        "dashboard lagged",
    )
    assert drafted.gaps == ("Runbook step 3 is wrong",)


def test_the_report_tells_how_to_revert_by_hand_while_a_node_is_held() -> None:
    held = [event for event in passed_events() if not isinstance(event, ev.Released)]
    arming = ev.Arming(at_s=T0 + 3, node="redfin", hand_revert="ssh redfin sh stop")
    assert "revert by hand: ssh redfin sh stop" in report.plain(fold_all([*held, arming]))
    released = ev.Released(at_s=T0 + 20, node="redfin")
    assert "by hand" not in report.plain(fold_all([*held, arming, released]))


def test_a_report_of_markdown_escapes_what_evidence_brings() -> None:
    state = fold_all([ev.Found(at_s=T0, text="<b>*x*</b> [y](z)")], concluded(passed_events()))
    assert r"- \<b\>\*x\*\</b\> \[y\](z)" in report.markdown(state)


def test_the_timeline_counts_from_the_injection() -> None:
    assert any("T+0.0 fault let go on redfin" in line for line in sections.timeline(concluded(passed_events())).lines)
    assert any(
        "T-1.0 baseline gateway-health: pass" in line for line in sections.timeline(concluded(passed_events())).lines
    )


def test_an_empty_journal_still_makes_a_report() -> None:
    assert "breaks off" in report.plain(RunState())
    assert one_test(RunState(), verdict="FAIL", issues=(), gaps=(), when=WHEN).hash.startswith("CHAOS-TEST-UNKNOWN-")


def test_the_result_object_has_the_agreed_fields() -> None:
    state = fold_all(
        [*restarts(0, 2, 1), ev.DeliveryTried(at_s=T0, hash="H", delivered=True), ev.WrittenUp(at_s=T0, hash="H")],
        concluded(passed_events()),
    )
    told = json.loads(encode_result(result(state)))
    assert list(told) == [
        "run", "scenario", "outcome", "reason", "digest", "started", "effect_proven", "revert_proven", "recovery",
        "expectations", "alerts", "checklist", "metrics", "thermal",
    ]  # fmt: skip
    assert (told["outcome"], told["reason"], told["effect_proven"], told["revert_proven"]) == ("passed", "", True, True)
    assert told["started"] == "2026-09-21T14:13:20Z"
    assert told["recovery"] == {"seconds": 2.5, "error_s": 0.02, "breakdown": {}}
    (health,) = told["expectations"]
    assert health == {
        "id": "health", "outcome": "pass", "observed": "200", "attested": False, "after_s": 2.5, "error_s": 0.4,
    }  # fmt: skip
    assert told["metrics"] == {"redfin/restarts:llm-gateway": {"min": 0.0, "max": 2.0, "last": 1.0}}
    assert told["thermal"] == {"hash": "H", "delivered": True}


def test_the_result_of_a_broken_off_journal_is_interrupted() -> None:
    told = result(fold_all(passed_events()))
    assert (told.outcome, told.reason) == (Outcome.ABORTED, Reason.INTERRUPTED)
    assert result(RunState()).recovery is None


def alerted(*more: ev.AnyEvent) -> RunState:
    """A run that expected an alert to fire and to clear."""
    briefs = (
        ItemBrief("fires", "f", 20, alert='EventsLate{node="bluefin"}', alert_is="fired"),
        ItemBrief("clears", "c", 30, after="revert", alert='EventsLate{node="bluefin"}', alert_is="cleared"),
    )
    first, *rest = passed_events()
    assert isinstance(first, ev.RunStarted)
    return fold_all([msgspec.structs.replace(first, expectations=briefs), *rest, *more])


def told(name: str, status: Status, after_s: float | None = None) -> ev.ExpectationJudged:
    error_s = None if after_s is None else 0.6
    return ev.ExpectationJudged(at_s=T0 + 20, id=name, status=status, observed="o", after_s=after_s, error_s=error_s)


def test_when_an_alert_fired_and_cleared_is_told_everywhere() -> None:
    state = alerted(told("fires", Status.PASS, 6.21), told("clears", Status.PASS, 14.0))
    line = 'EventsLate{node="bluefin"}: fired 6.2 s ± 0.6 after the injection, cleared 14.0 s ± 0.6 after the revert'
    assert sections.alerts(state).lines == (line,)
    assert f"Alerts\n- {line}" in written(state).content
    (times,) = json.loads(encode_result(result(state)))["alerts"]
    assert times == {
        "alert": 'EventsLate{node="bluefin"}',
        "fired": {"seconds": 6.21, "error_s": 0.6, "after": "inject"},
        "cleared": {"seconds": 14.0, "error_s": 0.6, "after": "revert"},
    }


def test_an_alert_that_was_not_seen_has_no_time() -> None:
    state = alerted(told("fires", Status.FAIL, 25.0), told("clears", Status.UNKNOWN))
    (line,) = sections.alerts(state).lines
    assert line == 'EventsLate{node="bluefin"}: not seen to have fired, unknown whether it has cleared'
    (times,) = result(state).alerts
    assert (times.fired, times.cleared) == (None, None)
