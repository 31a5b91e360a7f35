"""The lock of a lab's folder: held by the daemon for its whole life, and by nothing that outlives it."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator

from console.errors import GamedayError
from console.lab.layout import LabLayout


@contextlib.contextmanager
def hold_lock(lab: LabLayout) -> Iterator[None]:
    """Hold the folder's lock.

    Raises:
        GamedayError: another lab holds it.
    """
    with lab.mark.open("a") as mark:
        deadline = time.monotonic() + 1.0
        while True:
            try:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                # `is_locked` of somebody else holds it for an instant.
                if time.monotonic() > deadline:
                    raise GamedayError(f"another lab runs in {lab.root}") from None
                time.sleep(0.02)
        yield


def is_locked(lab: LabLayout) -> bool:
    """Whether a lab's daemon lives in that folder."""
    try:
        with lab.mark.open("r") as mark:
            fcntl.flock(mark, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
