"""A past run, in the list and as its journal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from console.events import AnyEvent
from console.terms import Outcome, Reason


class RunSummary(Protocol):
    """A past run in the history."""

    @property
    def run(self) -> str: ...  # noqa: D102
    @property
    def scenario(self) -> str: ...  # noqa: D102
    @property
    def started_s(self) -> float: ...  # noqa: D102
    @property
    def operator(self) -> str: ...  # noqa: D102
    @property
    def outcome(self) -> Outcome: ...  # noqa: D102
    @property
    def reason(self) -> Reason: ...  # noqa: D102
    @property
    def verdict(self) -> str:
        """`PASS`, `FAIL` or empty: nobody signed."""
        ...

    @property
    def delivered(self) -> bool:
        """Whether thermal memory has its row."""
        ...


class Recording(Protocol):
    """A journal that was read."""

    @property
    def events(self) -> Sequence[AnyEvent]: ...  # noqa: D102
    @property
    def complaint(self) -> str:
        """A torn last line, in words; empty: none."""
        ...
