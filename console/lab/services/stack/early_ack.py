"""A flaw on purpose: records that are acknowledged before they are stored, and lost when they cannot be."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from console.lab.services.stack.log import log
from console.lab.services.stack.trouble import Trouble

DELAY_S = 0.5
"""For how long a record is in memory only."""


class Later:
    """Stores in the background what was acknowledged at once."""

    def __init__(self, store: Callable[[bytes, bytes], None]) -> None:
        self._store = store
        self._pending: dict[bytes, bytes] = {}
        self._queue: SimpleQueue[tuple[float, bytes, bytes]] = SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def put(self, key: bytes, value: bytes) -> None:
        """Take it; it is acknowledged now."""
        self._pending[key] = value
        self._queue.put((time.monotonic() + DELAY_S, key, value))

    def get(self, key: bytes) -> bytes | None:
        """What is not stored yet."""
        return self._pending.get(key)

    def _work(self) -> None:
        while True:
            due_s, key, value = self._queue.get()
            time.sleep(max(0.0, due_s - time.monotonic()))
            try:
                self._store(key, value)
            except Trouble as trouble:
                log(f"lost {key.decode(errors='replace')}, which was acknowledged: {trouble}")
            self._pending.pop(key, None)
