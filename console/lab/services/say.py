"""One line of a service's log: its standard output, with the time in front."""

from __future__ import annotations

from datetime import UTC, datetime


def say(*words: object) -> None:
    """Log a line."""
    print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", *words, flush=True)  # noqa: T201 -- stdout is the log
