"""The log of the application's programs: a line that cannot be written leaves no client without its answer."""

from __future__ import annotations

from contextlib import suppress

from console.lab.services.say import say


def log(*words: object) -> None:
    """Log a line, if that can be; where calls are made to fail, this one fails too."""
    with suppress(OSError):
        say(*words)
