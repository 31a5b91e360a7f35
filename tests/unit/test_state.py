"""RunState is what the events tell, and nothing else."""

from __future__ import annotations

from console import events as ev
from console.record.lines import decode, encode
from console.state import RunState, fold, fold_all, presumed_outcome
from console.terms import Outcome, Phase, Reason, Status
from tests.unit.runs import T0, passed_events


def test_the_same_events_give_the_same_state_after_a_round_through_the_journal() -> None:
    events = passed_events()
    assert fold_all(decode(encode(event)) for event in events) == fold_all(events)


def test_folding_leaves_the_old_state_as_it_was() -> None:
    before = fold_all(passed_events()[:3])
    fold(before, passed_events()[3])
    assert before == fold_all(passed_events()[:3])


def test_a_node_is_held_from_arming_until_it_is_released() -> None:
    events = passed_events()
    held = [fold_all(events[: i + 1]).nodes["redfin"].held for i in range(len(events))]
    arming = next(i for i, event in enumerate(events) if isinstance(event, ev.Arming))
    released = next(i for i, event in enumerate(events) if isinstance(event, ev.Released))
    assert held == [arming <= i < released for i in range(len(events))]


def test_a_journal_that_breaks_off_tells_of_an_interrupted_run() -> None:
    assert presumed_outcome(fold_all(passed_events()[:8])) == (Outcome.ABORTED, Reason.INTERRUPTED)


def test_an_automatic_item_stops_counting_when_its_time_is_over() -> None:
    checked = ev.ItemChecked(at_s=T0, stage="pre", id="tpm-notified", status=Status.PASS, valid_until_s=T0 + 600)
    state = fold_all([passed_events()[0], checked])
    assert state.blockers(T0 + 599) == []
    assert [item.brief.id for item in state.blockers(T0 + 601)] == ["tpm-notified"]


def test_an_overridden_item_stands_in_nobody_s_way() -> None:
    override = ev.ItemOverridden(at_s=T0, id="tpm-notified", reason="alone tonight", by="ana")
    assert fold_all([passed_events()[0], override]).blockers(T0) == []


def test_samples_become_points_and_stay_out_of_the_log() -> None:
    sample = ev.Sampled(at_s=T0, node="redfin", values={"cpu_pct": 7.0}, states={"llm-gateway": "active (running)"})
    state = fold(RunState(), sample)
    assert state.metrics == {"redfin/cpu_pct": ((T0, 7.0),)}
    assert state.services == {"redfin/llm-gateway": "active (running)"}
    assert state.log == ()


def test_the_revert_is_proven_only_when_every_armed_node_is() -> None:
    state = fold_all(passed_events())
    assert state.revert_proven
    assert not fold(state, ev.Arming(at_s=T0 + 30, node="bluefin")).revert_proven


def test_the_last_entry_of_a_phase_counts() -> None:
    state = fold_all([ev.PhaseEntered(at_s=T0 + i, phase=Phase.CHECKLIST) for i in range(3)])
    assert state.entered(Phase.CHECKLIST) == T0 + 2
    assert state.entered(Phase.DONE) is None
