"""The journal: a run's events as JSON lines. A decision is on the disk before anyone acts on it."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec

from console.errors import GamedayError, Refused
from console.events import AnyEvent, Ended, is_decision
from console.record.home import fsync_folder
from console.record.lines import decode, encode

FILE = "journal.jsonl"
"""The journal's name in the run's folder."""
TICK_S = 1.0
"""Samples wait for the next decision, but not longer than this, in seconds."""
SAMPLE = b'{"event":"sample"'
"""How the line of a sample begins."""


class JournalError(GamedayError):
    """The journal cannot be written or read: a run without one must not go on."""


class Journal:
    """The one writer of a journal. Lines reach the file in the order of the calls to `append`."""

    def __init__(self, file: Path, fd: int) -> None:
        self.file = file
        self._fd = fd
        self._lines: deque[bytes] = deque()
        self._writer = threading.Lock()
        self._broken = ""
        self._folder_synced = False
        self._written_at_s = time.monotonic()

    @classmethod
    def create(cls, folder: Path) -> Journal:
        """Begin the run's journal.

        Raises:
            Refused: there is one already: a plan runs at most once.
            JournalError: the file cannot be made.
        """
        file = folder / FILE
        try:
            fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            raise Refused(f"{file} is there already: a plan runs at most once") from None
        except OSError as error:
            raise JournalError(f"the journal {file} cannot be made: {error.strerror}") from error
        return cls(file, fd)

    @classmethod
    def reopen(cls, folder: Path) -> Journal:
        """Go on with the journal of a run whose console is dead; only while its `alive` file is held.

        What a torn last line holds is no event: it is cut off.

        Raises:
            JournalError: the file cannot be opened or cut.
        """
        file = folder / FILE
        try:
            whole = file.read_bytes().rfind(b"\n") + 1
            fd = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            os.ftruncate(fd, whole)
        except OSError as error:
            raise JournalError(f"the journal {file} cannot be gone on with: {error.strerror}") from error
        return cls(file, fd)

    async def append(self, event: AnyEvent) -> None:
        """Record the event. A decision is fsync'd when this returns, with every event appended before it.

        A cancelled caller does not cancel the write. Samples are not synced, and wait up to `TICK_S`.

        Raises:
            JournalError: the disk does not take it; nothing can be appended from then on.
        """
        self._lines.append(encode(event) + b"\n")
        sync = is_decision(event)
        if sync or self._broken or time.monotonic() - self._written_at_s >= TICK_S:
            await asyncio.shield(asyncio.to_thread(self._write, sync))

    async def close(self) -> None:
        """Write what still waits and close the file; a second call does nothing.

        Raises:
            JournalError: the disk did not take the last events.
        """
        if self._fd < 0:
            return
        try:
            if not self._broken:
                await asyncio.shield(asyncio.to_thread(self._write, True))
        finally:
            with self._writer:
                os.close(self._fd)
                self._fd = -1

    def _write(self, sync: bool) -> None:
        """Write all waiting lines. Whoever comes first takes the others' along; they find their lines on the disk."""
        with self._writer:
            if not self._broken:
                try:
                    self._write_lines()
                    if sync:
                        self._sync()
                except OSError as error:
                    self._broken = f"the journal {self.file} cannot be written: {error.strerror}"
            if self._broken:
                raise JournalError(self._broken)

    def _write_lines(self) -> None:
        lines = b"".join(self._lines.popleft() for _ in range(len(self._lines)))
        self._written_at_s = time.monotonic()
        while lines:
            lines = lines[os.write(self._fd, lines) :]

    def _sync(self) -> None:
        os.fsync(self._fd)
        if not self._folder_synced:
            fsync_folder(self.file.parent)
            self._folder_synced = True


def read(file: Path, *, samples: bool = True) -> tuple[list[AnyEvent], str]:
    """The events of a journal, also while it is being written, and a complaint about what could not be read, or "".

    A last line that a killed console left torn is no event. Without `samples` only the decisions are decoded.

    Raises:
        JournalError: there is no such journal.
    """
    try:
        text = file.read_bytes()
    except OSError as error:
        raise JournalError(f"the journal {file} cannot be read: {error.strerror}") from error
    found: list[AnyEvent] = []
    lines = text.split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line or (not samples and line.startswith(SAMPLE) and number < len(lines)):
            continue
        try:
            found.append(decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError):
            if number == len(lines):
                return found, f"{file}:{number}: the last line is torn: the console was cut off while it wrote"
            return found, f"{file}:{number}: not an event; this line and what follows are left out"
    return found, ""


async def follow(
    file: Path, *, alive: Callable[[], bool] = lambda: True, every_s: float = 0.2
) -> AsyncIterator[AnyEvent]:
    """Every event of a journal, from the first on and as it comes; ends after `Ended`, or when its writer is dead.

    Raises:
        JournalError: there is no such journal, or a line in it is no event.
    """
    try:
        stream = file.open("rb")
    except OSError as error:
        raise JournalError(f"the journal {file} cannot be read: {error.strerror}") from error
    rest = b""
    with stream:
        while True:
            was_alive = alive()
            *lines, rest = (rest + stream.read()).split(b"\n")
            for line in lines:
                try:
                    event = decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise JournalError(f"the journal {file} holds a line that is no event: {error}") from error
                yield event
                if isinstance(event, Ended):
                    return
            if not was_alive:
                return
            await asyncio.sleep(every_s)
