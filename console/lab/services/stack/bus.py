"""The event bus between jobs' main process and its workers: TCP on the node's loopback, one connection an event.

A worker says `next NUMBER`, gets `job N STAMP` when there is one (STAMP: CLOCK_MONOTONIC of the hand-over, in seconds),
and says `done N DELAY`, how long the event was under way, in seconds. A job whose worker goes away goes to another.
"""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

JOB_LIMIT_S = 5.0
"""For how long a worker may keep a job."""
WAIT_LIMIT_S = 20.0
"""For how long one waits for a job before it asks again."""
HOST = "127.0.0.1"


class Bus:
    """Hands out jobs; `done` is called for each that is done."""

    def __init__(self, port: int, done: Callable[[int], None]) -> None:
        self._done = done
        self._jobs: SimpleQueue[int] = SimpleQueue()
        self._lock = threading.Lock()
        self._under_way: dict[int, float] = {}
        """Job -> when it was handed over."""
        self._last_delay_s = 0.0
        self.delay_s = 0.0
        """What each event is held back for, in seconds."""
        self.requeued = 0
        bus = self

        class Handler(socketserver.StreamRequestHandler):
            timeout = WAIT_LIMIT_S

            def handle(self) -> None:
                bus.serve(self)

        class Listener(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """A worker that went away: its job went to another."""

        self._listener = Listener((HOST, port), Handler)
        threading.Thread(target=self._listener.serve_forever, args=(3600,), daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.server_address[1])

    @property
    def waiting(self) -> int:
        """Jobs that are not done."""
        with self._lock:
            return self._jobs.qsize() + len(self._under_way)

    @property
    def event_delay_s(self) -> float:
        """How long the last event took, or one that is under way has taken already, in seconds."""
        with self._lock:
            begun = min(self._under_way.values(), default=None)
        return max(self._last_delay_s, time.monotonic() - begun if begun is not None else 0.0)

    def publish(self, job: int) -> None:
        """Give a job to whoever asks next."""
        self._jobs.put(job)

    def serve(self, worker: socketserver.StreamRequestHandler) -> None:
        """One event, from the question to `done`."""
        if not worker.rfile.readline(100).startswith(b"next "):
            return
        try:
            job = self._jobs.get(timeout=WAIT_LIMIT_S / 2)
        except Empty:
            return  # it asks again
        done = False
        try:
            with self._lock:
                self._under_way[job] = stamp_s = time.monotonic()
            time.sleep(self.delay_s)
            worker.wfile.write(f"job {job} {stamp_s:.6f}\n".encode())
            worker.connection.settimeout(JOB_LIMIT_S)
            word, _, rest = worker.rfile.readline(100).decode(errors="replace").partition(" ")
            number, _, delay = rest.partition(" ")
            done = word == "done" and number == str(job)
            if done:
                self._last_delay_s = float(delay)
        finally:
            with self._lock:
                del self._under_way[job]
            if not done:
                self.requeued += 1
                self._jobs.put(job)
        self._done(job)
