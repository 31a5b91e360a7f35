"""The maintenance window: how it is told, and when it is open."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from console.errors import BadInput
from console.plan.window import Window, between, parse

NOW = datetime(2026, 11, 21, 13, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("now/+1h", "2026-11-21 13:00:00 to 14:00:00 UTC"),
        ("+30m/+1h30m", "2026-11-21 13:30:00 to 15:00:00 UTC"),
        ("now/PT1H", "2026-11-21 13:00:00 to 14:00:00 UTC"),
        ("2026-11-22T02:00Z/2026-11-22T03:00Z", "2026-11-22 02:00:00 to 03:00:00 UTC"),
        ("2026-11-22T02:00+01:00/+1d", "2026-11-22 01:00:00 to 2026-11-23 01:00:00 UTC"),
        ("2026-11-21T12:00Z/2026-11-21T13:01Z", "2026-11-21 12:00:00 to 13:01:00 UTC"),
    ],
)
def test_a_window_is_told_by_times_or_by_distances(text: str, told: str) -> None:
    assert str(parse(text, NOW)) == told


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("now", "it must look like START/END"),
        ("", "it must look like START/END"),
        ("now/now", "it ends before it begins"),
        ("+2h/now/+1h", "'now/+1h' is no time"),
        ("2026-11-21T02:00Z/PT1H", "it is over already"),
        ("2026-11-21T14:00Z/2026-11-21T13:30Z", "it ends before it begins"),
        ("now/+8d", "it is longer than 7 days"),
        ("2026-11-22T02:00/+1h", "needs its offset"),
        ("tomorrow/+1h", "'tomorrow' is no time"),
        ("now/+", "'+' is no time"),
    ],
)
def test_a_window_that_is_none_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(BadInput) as told:
        parse(text, NOW)
    assert why in str(told.value)


def test_a_window_is_open_from_its_first_to_its_last_second() -> None:
    window = between(NOW, datetime(2026, 11, 21, 14, 0, tzinfo=UTC))
    first_s, last_s = window.epochs
    assert (last_s - first_s, first_s) == (3600, NOW.timestamp())
    assert window.closed(first_s - 0.1) == f"the maintenance window {window} has not opened yet"
    assert [window.closed(at_s) for at_s in (first_s, last_s)] == ["", ""]
    assert window.closed(last_s + 0.1) == f"the maintenance window {window} has closed"


def test_a_window_of_no_times_has_no_ends() -> None:
    with pytest.raises(ValueError, match="does not match format"):
        _ = Window("2026-13-01", "x").epochs
