"""Where a run's events go: to the journal first, then into the state, then to whoever listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from console.events import AnyEvent, Ended, is_decision
from console.record.journal import Journal, JournalError
from console.state import RunState, fold

Listener = Callable[[AnyEvent], None]


class Recorder:
    """Writes each decision to the disk before anyone sees it or acts on it, in the order of the calls."""

    def __init__(self, journal: Journal, clock: Callable[[], float]) -> None:
        self.state = RunState()
        self.now_s = clock
        self.broken = ""
        """Why the journal cannot be written any more; a fault is still taken back then."""
        self._journal = journal
        self._lock = asyncio.Lock()
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every event from now on; returns how to stop that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def emit(self, event: AnyEvent) -> None:
        """Record the event; a decision is fsync'd when this returns.

        Raises:
            JournalError: the first time that the journal cannot be written; later events are kept in memory only.
        """
        # Shielded: a phase that is cancelled in the middle must not leave journal and state at odds.
        complaint = await asyncio.shield(self._commit(event))
        if complaint is not None and is_decision(event):
            raise complaint

    async def _commit(self, event: AnyEvent) -> JournalError | None:
        complaint: JournalError | None = None
        async with self._lock:
            if not self.broken:
                try:
                    await self._journal.append(event)
                except JournalError as error:
                    self.broken = str(error)
                    complaint = error
            self.state = fold(self.state, event)
            for listener in tuple(self._listeners):
                listener(event)
        return complaint

    async def events(self) -> AsyncIterator[AnyEvent]:
        """Every event of the run, from the first to `Ended`."""
        queue: asyncio.Queue[AnyEvent] = asyncio.Queue()
        for event in self.state.log:
            queue.put_nowait(event)
        stop = self.listen(queue.put_nowait)
        try:
            while True:
                event = await queue.get()
                yield event
                if isinstance(event, Ended):
                    return
        finally:
            stop()

    async def close(self) -> None:
        """Close the journal; why its end could not be written stays in `broken`."""
        try:
            await self._journal.close()
        except JournalError as error:
            self.broken = self.broken or str(error)
