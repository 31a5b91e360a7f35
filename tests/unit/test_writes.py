"""The account of a writer's rows after a crash: lost, damaged, foreign, and those that were in flight."""

from __future__ import annotations

from console.probes.accounting import Log, account, ranges
from console.probes.writes import read_log


def log(text: str) -> Log:
    return read_log("".join(f"{line}\n" for line in text.split(", ")))


CRASHED = log("+, ? 1, ! 1, ? 2, ! 2, ? 3, #, +, ? 4, +, ? 5, ! 5, ? 6, ! 6, ? 7")
"""3 was in flight at the crash, 4 was never sent, 7 is in flight now."""


def whole(*numbers: int) -> dict[int, bool]:
    return dict.fromkeys(numbers, True)


def test_every_acknowledged_row_is_there() -> None:
    told = account(CRASHED, whole(1, 2, 5, 6), CRASHED)
    assert (told.data_lost, told.acknowledged, told.since) == (False, 4, 2)
    assert str(told) == "all 4 acknowledged rows are there, 2 of them since the crash"


def test_an_acknowledged_row_that_is_not_there_is_lost_and_named() -> None:
    told = account(CRASHED, whole(1, 6), CRASHED)
    assert told.data_lost
    assert str(told) == "2 of 4 acknowledged rows are gone (2, 5)"


def test_a_row_in_flight_may_be_there_or_not() -> None:
    told = account(CRASHED, whole(1, 2, 3, 5, 6, 7), CRASHED)
    assert not told.data_lost
    assert str(told).endswith("; in flight when it broke, and there: 3, 7")


def test_a_row_that_was_never_asked_for_is_no_row_of_ours() -> None:
    told = account(CRASHED, whole(1, 2, 5, 6, 99), CRASHED)
    assert told.data_lost
    assert str(told) == "1 rows were never written by us (99)"


def test_a_row_with_another_text_is_damaged_although_it_is_there() -> None:
    told = account(CRASHED, {**whole(1, 5, 6), 2: False}, CRASHED)
    assert told.data_lost
    assert str(told) == "1 rows are damaged (2)"


def test_rows_written_while_the_table_is_read_are_neither_lost_nor_foreign() -> None:
    later = log("+, ? 1, ! 1, ? 2, ! 2, ? 3, #, +, ? 4, +, ? 5, ! 5, ? 6, ! 6, ? 7, ! 7, ? 8, ! 8")
    told = account(CRASHED, whole(1, 2, 5, 6, 7, 8), later)
    assert (told.data_lost, told.in_flight) == (False, frozenset())


def test_a_table_that_is_gone_has_lost_every_row() -> None:
    assert str(account(CRASHED, {}, CRASHED)) == "4 of 4 acknowledged rows are gone (1-2, 5-6)"


def test_only_rows_of_a_session_after_the_crash_count_as_written_since() -> None:
    # The mark stands before the kill, so that a few rows of the old session come after it.
    assert log("+, ? 1, ! 1, #, ? 2, ! 2, ? 3").since == 0
    assert log("+, ? 1, ! 1, #, ? 2, ! 2, ? 3, +, ? 4, ! 4").since == 1


def test_a_line_that_is_still_being_written_is_not_read() -> None:
    assert read_log("+\n? 1\n! 1\n? 12").asked == {1}
    assert read_log("+\n? 1\n! 1").acknowledged == frozenset()


def test_there_is_no_crash_before_its_mark() -> None:
    assert not read_log("").struck
    assert log("+, ? 1, #").struck


def test_many_ranges_are_cut_short() -> None:
    assert ranges(range(1, 50, 2)).endswith("17, 19 and 15 more ranges")
    assert ranges([]) == ""
