"""Recovery times from what the watchers saw: what the brackets allow, and nothing more."""

from __future__ import annotations

import pytest

from console.probes.timeline import Measured, Timeline

HOW = "watched"
DEATH = ["ready 7", "ok 99.90 99.92 200 9.92", "gone 100.00 100.02 10.02", "fail 100.00 100.04 refused 10.04"]
BACK = ["new 8 Thu 1970-01-01 00:01:42.010000 UTC", "ok 102.20 102.24 200 12.24"]


def told(*lines: str) -> Timeline:
    timeline = Timeline()
    for line in lines:
        timeline.take(line)
    return timeline


def measured(*lines: str, stable_for_s: float = 10.0) -> Measured:
    timeline = told(*lines)
    result = timeline.measured(stable_for_s, HOW)
    assert result is not None, timeline.why
    return result


def why(*lines: str) -> str:
    timeline = told(*lines)
    assert timeline.measured(10.0, HOW) is None
    return timeline.why


def test_the_centres_differ_by_the_time_and_the_halves_add_to_the_error() -> None:
    result = measured(*DEATH, *BACK, "same 112.5")
    assert result.seconds == pytest.approx(2.21)
    assert result.error_s == pytest.approx(0.01 + 0.02 + 0.01)


def test_the_error_covers_everything_that_the_brackets_allow() -> None:
    result = measured(*DEATH, *BACK, "same 112.5")
    assert result.seconds - result.error_s <= 102.20 - 100.02
    assert result.seconds + result.error_s >= 102.24 - 100.00


def test_the_parts_add_up_to_the_whole() -> None:
    result = measured(*DEATH, *BACK, "same 112.5")
    assert result.breakdown["exit to started"] == pytest.approx(2.0)
    assert sum(result.breakdown.values()) == pytest.approx(result.seconds)


EXITED = "exited Thu 1970-01-01 00:01:40.012000 UTC"
SCHEDULED = "scheduled Thu 1970-01-01 00:01:40.020000 UTC"


def test_an_exit_stamp_within_what_was_seen_narrows_the_end() -> None:
    result = measured(*DEATH, EXITED, *BACK, "same 112.5")
    assert result.seconds == pytest.approx(102.22 - 100.012)
    assert result.error_s == pytest.approx(0.004 + 0.02 + 0.005)


@pytest.mark.parametrize("stamp", ["00:01:40.052000", "00:01:39.900000", "00:00:40.012000"])
def test_an_exit_stamp_that_contradicts_what_was_seen_does_not_count(stamp: str) -> None:
    result = measured(*DEATH, f"exited Thu 1970-01-01 {stamp} UTC", *BACK, "same 112.5")
    assert result.seconds == pytest.approx(2.21)


def test_the_anatomy_names_exit_schedule_start_and_health() -> None:
    result = measured(*DEATH, EXITED, SCHEDULED, *BACK, "same 112.5")
    assert list(result.breakdown) == ["exit to scheduled", "scheduled to started", "started to healthy"]
    assert result.breakdown["exit to scheduled"] == pytest.approx(0.008)
    assert result.breakdown["scheduled to started"] == pytest.approx(1.99)
    assert sum(result.breakdown.values()) == pytest.approx(result.seconds)


def test_the_schedule_of_another_restart_is_no_part_of_the_anatomy() -> None:
    old = "scheduled Thu 1970-01-01 00:01:30.020000 UTC"
    assert "exit to scheduled" not in measured(*DEATH, EXITED, old, *BACK, "same 112.5").breakdown


def test_without_a_fine_start_stamp_there_is_no_breakdown() -> None:
    assert measured(*DEATH, "new 8 Thu 1970-01-01 01:01:42 CET", BACK[1], "same 112.5").breakdown == {}


def test_a_good_answer_from_before_the_death_is_no_recovery() -> None:
    assert why(*DEATH, "same 120") == "it never got well again"


def test_the_first_answer_of_all_is_no_recovery_even_if_the_death_may_have_come_before_it() -> None:
    assert why("ready 7", "ok 100.00 100.01 200 10.01", "gone 100.00 100.2 10.2", "fail 100.1 100.2 refused 10.2") == (
        "it never got well again"
    )


def test_a_window_with_a_bad_answer_does_not_count_and_the_next_one_does() -> None:
    again = ["fail 105.0 105.1 500 15.1", "ok 108.00 108.10 200 18.10"]
    assert measured(*DEATH, *BACK, *again, "same 118.5").seconds == pytest.approx(108.05 - 100.01)


def test_a_second_death_in_the_window_does_not_count() -> None:
    died_again = ["gone 105.0 105.1 15.1", "new 9"]
    assert why(*DEATH, *BACK, *died_again, "same 130") == "it was well for less than 10 s"


def test_a_window_that_was_not_seen_to_its_end_does_not_count() -> None:
    assert why(*DEATH, *BACK, "same 110") == "the watch on the node ended too early"


def test_without_death_or_bad_answer_there_is_nothing_to_measure() -> None:
    assert "neither" in why(DEATH[0], DEATH[1], "same 130")


def test_an_answer_that_never_failed_is_no_recovery() -> None:
    assert why(*DEATH[:3], "same 130") == "the health page went on answering well"


def test_without_a_death_the_first_bad_answer_counts_and_is_named() -> None:
    result = measured(DEATH[1], DEATH[3], BACK[1], "same 130")
    assert result.seconds == pytest.approx(102.22 - 100.02)
    assert "the process' end was not seen" in result.how


def test_a_clock_step_widens_the_error() -> None:
    stepped = "ok 102.20 102.24 200 11.94"
    assert measured(*DEATH, stepped, "same 112.5").error_s == pytest.approx(0.04 + 0.3)


def test_a_clock_step_as_long_as_the_result_makes_it_unknown() -> None:
    assert "the node's clock was set by 60.0 s" in why(*DEATH, "ok 162.20 162.24 200 12.24", "same 180")


@pytest.mark.parametrize("line", ["", "ok", "ok a b c d", "gone 1", "new", "bash: line 3: oops", "ready x"])
def test_what_is_not_understood_is_left_out(line: str) -> None:
    assert measured(*DEATH, line, *BACK, line, "same 112.5").seconds == pytest.approx(2.21)
