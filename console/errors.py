"""The errors that an operator sees: one sentence each, saying what, where and the near match."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


class GamedayError(Exception):
    """Anything that is said to the operator in one sentence."""


class BadInput(GamedayError):
    """A file, a name or a flag that cannot be understood: exit code 2, nothing was touched."""

    def __init__(self, what: str, *, file: Path | str | None = None, line: int | None = None) -> None:
        where = "" if file is None else f"{file}:{line}: " if line is not None else f"{file}: "
        super().__init__(" ".join(f"{where}{what}".split()))
        self.file = None if file is None else str(file)
        self.line = line


class Refused(GamedayError):
    """A guard rail said no before anything was touched: outcome not-run, exit code 3."""


class NodeUnreachable(GamedayError):
    """A node does not answer over SSH, or stopped answering."""


def near_match(word: str, known: Iterable[str]) -> str:
    """`, did you mean 'expect'?` for the closest known word; empty when none is close.

    >>> near_match("expct", ["expect", "title"])
    ", did you mean 'expect'?"
    >>> near_match("zzz", ["expect", "title"])
    ''
    """
    close = get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f", did you mean '{close[0]}'?" if close else ""
