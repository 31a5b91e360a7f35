"""An expectation is met at the first moment of a window that holds; what was not seen did not hold."""

from __future__ import annotations

from console.probes.base import Observation
from console.run.judging import Judgement, Window
from console.terms import Status

T0 = 100.0


def seen(after_s: float, status: Status, text: str = "") -> Observation:
    return Observation(status=status, text=text or status.value, at_s=T0 + after_s, error_s=0.05)


def judged(window: Window, *observations: Observation) -> Judgement | None:
    told = None
    for observation in observations:
        told = told or window.add(observation)
    return told


def test_the_time_reported_is_the_window_s_first_instant_not_its_end() -> None:
    window = Window(30.0, 10.0, T0)
    told = judged(window, seen(1, Status.FAIL), *(seen(2 + i, Status.PASS) for i in range(12)))
    assert told is not None
    assert (told.status, told.after_s) == (Status.PASS, 2.0)


def test_an_answer_that_holds_too_briefly_is_a_failure_that_says_so() -> None:
    window = Window(5.0, 10.0, T0)
    told = judged(
        window,
        seen(1, Status.PASS),
        seen(3, Status.PASS),
        seen(4, Status.FAIL, "refused"),
        seen(6, Status.FAIL, "refused"),
    )
    assert told is not None
    assert told.status is Status.FAIL
    assert "held for 3.0 s only" in told.observed


def test_a_first_good_answer_after_the_limit_is_a_failure_with_its_time() -> None:
    told = judged(Window(5.0, 0.0, T0), seen(4, Status.FAIL), seen(7, Status.PASS))
    assert told is not None
    assert told.status is Status.FAIL
    assert "only after 7.0 s" in told.observed


def test_an_unknown_answer_breaks_the_window() -> None:
    window = Window(30.0, 5.0, T0)
    assert (
        judged(window, seen(1, Status.PASS), seen(4, Status.UNKNOWN), seen(5, Status.PASS), seen(8, Status.PASS))
        is None
    )
    told = window.add(seen(10, Status.PASS))
    assert told is not None
    assert told.after_s == 5.0


def test_what_was_never_seen_is_unknown_not_failed() -> None:
    told = judged(Window(5.0, 0.0, T0), seen(3, Status.UNKNOWN, "no link"), seen(6, Status.UNKNOWN, "no link"))
    assert told is not None
    assert told.status is Status.UNKNOWN


def test_giving_up_in_an_open_window_is_unknown() -> None:
    window = Window(30.0, 10.0, T0)
    judged(window, seen(1, Status.PASS))
    assert window.give_up("no more time").status is Status.UNKNOWN


def test_giving_up_after_a_bad_answer_is_a_failure() -> None:
    window = Window(30.0, 10.0, T0)
    judged(window, seen(1, Status.FAIL, "503"))
    assert window.give_up("no more time").status is Status.FAIL


def test_the_error_covers_the_gap_before_the_first_good_answer() -> None:
    told = judged(Window(30.0, 0.0, T0), seen(1.0, Status.FAIL), seen(1.3, Status.PASS))
    assert told is not None
    assert told.error_s is not None
    assert abs(told.error_s - 0.3) < 1e-6


def test_lost_data_is_told_at_once_for_it_cannot_get_better() -> None:
    lost = Observation(status=Status.FAIL, text="3 rows are gone", at_s=T0 + 1, data_lost=True)
    assert judged(Window(60.0, 10.0, T0), lost) == Judgement(Status.FAIL, "3 rows are gone", data_lost=True)
