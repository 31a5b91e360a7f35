"""What is made of a store's answers and of what it gave back: nothing that was not told counts as kept."""

from __future__ import annotations

import pytest

from console.probes.store_ledger import Answer, Ledger, understood

FULL = '{"error": "the disk is full: free some space", "errno": "ENOSPC", "recoverable": true}'


def ledger(*lines: str) -> Ledger:
    made = Ledger()
    for line in lines:
        assert made.take(line.replace(" | ", "\t"), 100.0)
    return made


def kept(count: int) -> Ledger:
    """So many records were acknowledged, and one more is on its way."""
    lines = [line for n in range(1, count + 1) for line in (f"? | {n} | 5.0", f"! | {n} | 5.1 | 0.010")]
    return ledger(*lines, f"? | {count + 1} | 5.2")


def test_each_answer_is_told_apart() -> None:
    made = ledger(
        "? | 1 | 5.0", "! | 1 | 5.1 | 0.012",
        "? | 2 | 5.2", f"- | 2 | 5.3 | 0.010 | 507 | {FULL}",
        "? | 3 | 5.4", "~ | 3 | 9.4 | 4.000 | no answer within 4 s",
        "? | 4 | 9.5", "x | 4 | 9.6 | 0.001 | Connection refused",
        "? | 5 | 9.7",
    )  # fmt: skip
    assert [str(answer) for answer in made.answers] == [
        "record 1 was acknowledged after 12 ms",
        "record 2 was refused, 507: the disk is full: free some space (ENOSPC)",
        "it hangs: record 3 got no answer within 4 s",
        "it is not there: record 4: Connection refused",
    ]
    assert (made.acknowledged, made.pending, made.last) == ({1}, {5: 100.0}, 5)


@pytest.mark.parametrize("line", ["", "?", "?\tx", "!\t1", "-\t1\t5.0\t0.1\tno\ttext", "=\t1\tend", "sudo: remark"])
def test_a_line_that_is_not_ours_changes_nothing(line: str) -> None:
    made = Ledger()
    assert not made.take(line, 1.0)
    assert (made.answers, made.last, made.pending) == ([], 0, {})


CLASSED: list[tuple[str, bool | None]] = [
    (FULL, True),
    ('{"error": "bad sector", "recoverable": false}', False),
    ('{"error": "bad sector"}', None),
    ('{"error": "bad sector", "recoverable": "perhaps"}', None),
    ("no space left on device", None),
    ("", None),
    ("no space left, recoverable: yes", True),
    ("recoverable=false: read-only file system", False),
    ("this is unrecoverable", False),
    ("a non-recoverable error", False),
]


@pytest.mark.parametrize(("text", "recoverable"), CLASSED)
def test_a_refusal_is_classed_only_by_its_own_words(text: str, recoverable: bool | None) -> None:
    assert understood(text).recoverable is recoverable


def test_what_was_acknowledged_and_is_told_to_be_gone_is_lost() -> None:
    made = kept(5)
    told = made.read_back(made.log(), {"sound": "1-2,5", "absent": "3-4"})
    assert (told.data_lost, str(told)) == (True, "2 of 5 acknowledged records are gone (3-4)")


def test_a_record_on_its_way_may_be_there_or_not() -> None:
    made = kept(2)
    assert str(made.read_back(made.log(), {"sound": "1-2", "absent": "3"})) == "all 2 acknowledged records are there"
    told = made.read_back(made.log(), {"sound": "1-3"})
    assert (told.data_lost, told.extra) == (False, False)
    assert str(told).endswith("; never acknowledged, and there all the same: 3")


def test_a_refused_record_that_is_there_whole_is_no_loss_but_half_of_one_is() -> None:
    made = ledger("? | 1 | 5.0", "! | 1 | 5.1 | 0.01", "? | 2 | 5.2", "- | 2 | 5.3 | 0.01 | 507 | full")
    assert not made.read_back(made.log(), {"sound": "1-2"}).data_lost
    assert str(made.read_back(made.log(), {"sound": "1", "torn": "2"})) == "1 records are damaged (2)"


def test_a_record_that_could_not_be_read_is_neither_kept_nor_lost() -> None:
    made = kept(3)
    told = made.read_back(made.log(), {"sound": "1-2", "unread": "3\tno answer within 5 s"})
    assert (told.data_lost, told.told, str(told)) == (False, False, "could not be read back: no answer within 5 s")


def test_a_record_of_which_nothing_was_said_is_not_kept() -> None:
    made = kept(3)
    told = made.read_back(made.log(), {"sound": "1"})
    assert (told.data_lost, told.told, str(told)) == (False, False, "could not be read back: nothing was said of 2-3")


def test_records_written_while_it_is_read_are_neither_lost_nor_extra() -> None:
    made = kept(2)
    before = made.log()
    for line in ("!\t3\t5.3\t0.01", "?\t4\t5.4"):
        made.take(line, 101.0)
    told = made.read_back(before, {"sound": "1-2,4"})
    assert (told.data_lost, told.extra, told.told) == (False, False, True)


def test_what_was_never_asked_for_is_extra_but_not_what_went_unseen() -> None:
    made = kept(2)
    made.broke(10)
    assert made.last == 13
    told = made.read_back(made.log(), {"sound": "1-2,13-14"})
    assert (told.extra, str(told)) == (True, "1 records were never written by us (14)")
    assert made.pending == {}


def test_an_answer_keeps_when_it_was_seen() -> None:
    assert ledger("! | 1 | 5.1 | 0.012").answers == [Answer(1, "acknowledged", 5.1, 0.012, 100.0)]
