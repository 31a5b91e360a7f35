"""The maintenance window of a plan: signed with it, and outside of it nothing is injected."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import msgspec

from console.errors import BadInput

DEFAULT = timedelta(hours=1)
"""How long a window is, from the making of the plan, when nobody names one."""
LONGEST = timedelta(days=7)
_ISO = "%Y-%m-%dT%H:%M:%SZ"
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From when until when a plan's faults may be injected, both in UTC, ISO 8601, to the second."""

    not_before: str
    not_after: str

    @property
    def epochs(self) -> tuple[int, int]:
        """Both ends in seconds since the epoch.

        Raises:
            ValueError: one is no such time.
        """
        first, last = (datetime.strptime(text, _ISO).replace(tzinfo=UTC) for text in (self.not_before, self.not_after))
        return int(first.timestamp()), int(last.timestamp())

    def closed(self, now_s: float) -> str:
        """Why nothing may be injected at that moment (seconds since the epoch); empty: it may.

        >>> Window("1970-01-01T00:00:10Z", "1970-01-01T00:00:20Z").closed(20.0)
        ''
        >>> Window("1970-01-01T00:00:10Z", "1970-01-01T00:00:20Z").closed(20.5)
        'the maintenance window 1970-01-01 00:00:10 to 00:00:20 UTC has closed'
        """
        first_s, last_s = self.epochs
        if now_s < first_s:
            return f"the maintenance window {self} has not opened yet"
        return f"the maintenance window {self} has closed" if now_s > last_s else ""

    def __str__(self) -> str:
        """Like `2026-11-21 13:00:00 to 14:00:00 UTC`; the day is told again where it is another."""
        first, last = (text.removesuffix("Z").replace("T", " ") for text in (self.not_before, self.not_after))
        return f"{first} to {last.removeprefix(first[:11])} UTC"


def between(first: datetime, last: datetime) -> Window:
    """The window between two times."""
    return Window(*(time.astimezone(UTC).strftime(_ISO) for time in (first, last)))


def parse(text: str, now: datetime) -> Window:
    """The window of `START/END`: each an ISO time with its offset, or a time from now (START) or from START (END).

    Raises:
        BadInput: not such a window, over before it begins or already, or longer than seven days.

    >>> str(parse("now/+90m", datetime(2026, 1, 2, 3, tzinfo=UTC)))
    '2026-01-02 03:00:00 to 04:30:00 UTC'
    >>> str(parse("2026-01-02T23:00+01:00/PT4H", datetime(2026, 1, 2, 3, tzinfo=UTC)))
    '2026-01-02 22:00:00 to 2026-01-03 02:00:00 UTC'
    """
    start_text, slash, end_text = text.strip().partition("/")
    if not slash:
        raise _bad(text, "it must look like START/END, for example now/+1h")
    start = _time(text, start_text, now)
    end = _time(text, end_text, start)
    if end <= start:
        raise _bad(text, "it ends before it begins")
    if end <= now:
        raise _bad(text, "it is over already")
    if end - start > LONGEST:
        raise _bad(text, f"it is longer than {LONGEST.days} days")
    return between(start, end)


def _time(whole: str, text: str, origin: datetime) -> datetime:
    if text == "now":
        return origin
    steps = re.fullmatch(r"(?:\+|pt?)((?:\d{1,6}[dhms])+)", text.lower())
    if steps:
        amounts = re.findall(r"(\d+)([dhms])", steps[1])
        return origin + sum((timedelta(**{_UNITS[unit]: int(n)}) for n, unit in amounts), timedelta())
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise _bad(whole, f"{text[:40]!r} is no time like 2026-11-21T02:00Z, now or +1h") from None
    if time.tzinfo is None:
        raise _bad(whole, f"{text[:40]} needs its offset, like {text[:40]}Z or {text[:40]}+01:00")
    return time


def _bad(text: str, why: str) -> BadInput:
    return BadInput(f"--window {text[:80]}: {why}")
