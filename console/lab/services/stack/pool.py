"""The worker processes of jobs: each is replaced when it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

from console.lab.services.stack.log import log

AGAIN_S = 0.5
"""How long a place stays empty."""


class Pool:
    """So many workers. `replaced`: whether one that ends is started again."""

    def __init__(self, size: int, bus_port: int, *, replaced: bool = True) -> None:
        self._environment = {**os.environ, "STACK_BUS_PORT": str(bus_port)}
        self._replaced = replaced
        self._workers: dict[int, subprocess.Popen[bytes]] = {}
        self.restarts = 0
        self.size = size
        for number in range(1, size + 1):
            self._start(number)
            threading.Thread(target=self._keep, args=(number,), daemon=True).start()

    @property
    def pids(self) -> dict[int, int]:
        """The living workers by their number."""
        return {number: worker.pid for number, worker in self._workers.items() if worker.returncode is None}

    def kill_one(self) -> int:
        """End one with SIGKILL: its pid, 0 when there is none."""
        for pid in self.pids.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                return pid
        return 0

    def _start(self, number: int) -> None:
        words = [sys.executable, "-S", "-m", "console.lab.services.stack", "worker", str(number)]  # -S: starts sooner
        self._workers[number] = subprocess.Popen(words, env=self._environment, stdin=subprocess.DEVNULL)

    def _keep(self, number: int) -> None:
        while True:
            code = self._workers[number].wait()
            log(f"jobs: worker {number} ended with {code}")
            if not self._replaced:
                return
            time.sleep(AGAIN_S)
            self.restarts += 1
            self._start(number)
