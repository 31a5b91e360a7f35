"""What became of what was acknowledged: a writer's log against what is there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

NONE: frozenset[int] = frozenset()


class Log(msgspec.Struct, frozen=True):
    """What a writer remembers, by number."""

    asked: frozenset[int] = NONE
    acknowledged: frozenset[int] = NONE
    since: int = 0
    """How many were acknowledged in the sessions after the crash."""
    struck: bool = False


class Account(msgspec.Struct, frozen=True):
    """A writer's log against what is there."""

    acknowledged: int
    since: int | None = None
    """How many of these since the crash; None: there is none to count from."""
    lost: frozenset[int] = NONE
    """Acknowledged, and not there."""
    torn: frozenset[int] = NONE
    """There, and only partly as it was written."""
    wrong: frozenset[int] = NONE
    """There, and something else than what was written."""
    in_flight: frozenset[int] = NONE
    """There, and asked for when the connection broke, so never acknowledged: both may happen to such a row."""
    foreign: frozenset[int] = NONE
    """There, and never asked for."""
    what: str = "rows"
    """What is counted, in the plural."""

    @property
    def data_lost(self) -> bool:
        """Whether a promise was broken."""
        return bool(self.lost or self.torn or self.wrong or self.foreign)

    def __str__(self) -> str:
        """One sentence, with the numbers."""
        bad = [
            f"{len(those)} {said} ({ranges(those)})"
            for those, said in (
                (self.lost, f"of {self.acknowledged} acknowledged {self.what} are gone"),
                (self.torn, f"{self.what} are damaged"),
                (self.wrong, f"{self.what} hold something else"),
                (self.foreign, f"{self.what} were never written by us"),
            )
            if those
        ]
        if bad:
            return "; ".join(bad)
        flying = "in flight when it broke, and there"
        since = f", {self.since} of them since the crash"
        if self.since is None:
            flying, since = "never acknowledged, and there all the same", ""
        flying = f"; {flying}: {ranges(self.in_flight)}" if self.in_flight else ""
        return f"all {self.acknowledged} acknowledged {self.what} are there{since}{flying}"


def account(before: Log, rows: Mapping[int, bool], after: Log) -> Account:
    """What is there (number -> whole) against the log as it was just before and just after it was read."""
    there = frozenset(rows)
    return Account(
        acknowledged=len(before.acknowledged),
        since=before.since,
        lost=before.acknowledged - there,
        torn=frozenset(number for number, sound in rows.items() if not sound),
        in_flight=(there & after.asked) - after.acknowledged,
        foreign=there - after.asked,
    )


def ranges(numbers: Iterable[int]) -> str:
    """Numbers in order, runs of them as ranges, and no more than ten of those.

    >>> ranges([3, 1, 2, 7, 9, 10])
    '1-3, 7, 9-10'
    """
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][-1] + 1:
            found[-1] = [found[-1][0], number]
        else:
            found.append([number])
    told = ["-".join(map(str, run)) for run in found]
    return ", ".join(told[:10]) + (f" and {len(told) - 10} more ranges" if len(told) > 10 else "")
