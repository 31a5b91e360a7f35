"""One supervised service: systemd's states, counters and time stamps for a Type=simple unit."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from console.lab.processes import exit_of, signal_group
from console.lab.unit_file import Unit
from console.lab.unit_state import UnitState

Log = Callable[[str, "ManagedService", dict[str, object]], None]
"""Takes the event's name, the service and what else is to be logged."""


class ManagedService:
    """Starts, watches, restarts and stops one service, and writes its state to `state_file` at each change."""

    def __init__(self, unit: Unit, environment: dict[str, str], state_file: Path, output: Path, log: Log) -> None:
        self.unit = unit
        self.state = UnitState()
        self._environment = environment
        self._state_file = state_file
        self._output = output
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._restart_timer: asyncio.TimerHandle | None = None
        self._stopping = False
        self._window = (0.0, 0)
        self._turn = asyncio.Lock()
        self._settled = asyncio.Event()
        self.publish()

    @property
    def pid(self) -> int:
        """The main process, 0 when there is none."""
        return self._process.pid if self._process else 0

    def publish(self) -> None:
        """Write what `systemctl show` prints, atomically."""
        (self._settled.clear if self.state.sub == "auto-restart" else self._settled.set)()
        new = self._state_file.with_suffix(".new")
        new.write_text(self.state.show(self.unit, self.pid))
        new.replace(self._state_file)

    async def start(self) -> bool:
        """Start it as `systemctl start` does; whether it is active then.

        A service that waits for its automatic restart is waited for, not hurried.
        """
        async with self._turn:
            while self.state.sub == "auto-restart":
                await self._settled.wait()
            if not self._process:
                self.state.n_restarts = 0
                self._start()
            return self.state.active == "active"

    async def stop(self) -> None:
        """Stop it and wait until it has gone: KillSignal, and SIGKILL after TimeoutStopSec."""
        async with self._turn:
            await self._stop()

    async def restart(self) -> bool:
        """Stop and start it; whether it is active then. The restart counter starts again at 0."""
        async with self._turn:
            await self._stop()
            self.state.n_restarts = 0
            self._start()
            return self.state.active == "active"

    def kill(self, number: int) -> bool:
        """Send a signal to its processes; False when there are none."""
        if self._process:
            signal_group(self.pid, number)
        return bool(self._process)

    def reset_failed(self) -> None:
        """Forget failure, restart counter and the starts that count towards the start limit."""
        self._window = (0.0, 0)
        self.state.n_restarts = 0
        if self.state.active == "failed":
            self.state.enter("inactive", "dead", time.monotonic())
            self.state.result = "success"
        self.publish()

    async def shut_down(self, limit_s: float) -> None:
        """End it for good with the node, within `limit_s`."""
        async with asyncio.timeout(limit_s + 1.0):
            await self._stop(limit_s)

    def _start(self) -> None:
        now = time.monotonic()
        if not self._start_allowed(now):
            self.state.result = "start-limit-hit"
            self.state.enter("failed", "failed", now)
            self._log("start-limit-hit", self, {})
            return self.publish()
        self.state.invocation = uuid.uuid4().hex
        self.state.result = "success"
        self.state.stamp("InactiveEnter" if self.state.sub == "auto-restart" else "", now)
        self.state.stamp("InactiveExit", now)
        try:
            with self._output.open("ab") as output:
                self._process = subprocess.Popen(
                    self.unit.exec_start,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=self.unit.working_directory or self._environment["HOME"],
                    env={**self._environment, **self.unit.environment, "INVOCATION_ID": self.state.invocation},
                    start_new_session=True,
                )
        except OSError as error:
            self._log("not-started", self, {"reason": str(error)})
            return self._ended(203, time.monotonic())
        started = time.monotonic()
        self.state.stamp("ExecMainStart", started)
        self.state.main_pid = self.pid
        self.state.enter("active", "running", started)
        self._log("started", self, {"pid": self.pid, "monotonic_s": started, "invocation": self.state.invocation})
        self._watch = asyncio.create_task(self._await_end(self._process))
        return self.publish()

    def _start_allowed(self, now: float) -> bool:
        """Count a start; False when there were StartLimitBurst of them within StartLimitIntervalSec."""
        begun, count = self._window
        if count == 0 or now - begun >= self.unit.start_limit_interval_s:
            begun, count = now, 0
        self._window = (begun, count + 1)
        return self.unit.start_limit_burst <= 0 or count < self.unit.start_limit_burst

    async def _await_end(self, process: subprocess.Popen[bytes]) -> None:
        code, ended = await exit_of(process)
        how: dict[str, object] = {"signal": -code} if code < 0 else {"status": code}
        self._log("exited", self, {"pid": process.pid, "monotonic_s": ended, **how})
        signal_group(process.pid, signal.SIGKILL)
        self._process = None
        self._ended(code, ended)

    def _ended(self, code: int, now: float) -> None:
        clean = self.unit.succeeded(code)
        self.state.ended(code, now)
        self.state.result = "success" if clean else "exit-code" if code >= 0 else "signal"
        if self._stopping:
            # Killed after TimeoutStopSec: that is a failure of its own, as in systemd.
            timeout = code == -signal.SIGKILL and self.unit.kill_signal != signal.SIGKILL
            self.state.result = "timeout" if timeout else self.state.result
            clean = clean and not timeout
        elif self.unit.restarts_after(code):
            self.state.enter("inactive", "dead", now)
            self.state.enter("activating", "auto-restart", now)
            self._log("auto-restart", self, {"restart_s": self.unit.restart_s})
            self._restart_timer = asyncio.get_running_loop().call_later(self.unit.restart_s, self._restart)
            return self.publish()
        self.state.enter(*(("inactive", "dead") if clean else ("failed", "failed")), now)
        self._log("stopped" if clean else "failed", self, {"result": self.state.result})
        return self.publish()

    def _restart(self) -> None:
        self._restart_timer = None
        self.state.n_restarts += 1
        self._start()

    async def _stop(self, limit_s: float | None = None) -> None:
        if self._restart_timer:
            self._restart_timer.cancel()
            self._restart_timer = None
            self.state.enter("inactive", "dead", time.monotonic())
            return self.publish()
        if not (self._process and self._watch):
            return None
        self._stopping = True
        try:
            self.state.enter("deactivating", "stop-sigterm", time.monotonic())
            self.publish()
            signal_group(self.pid, self.unit.kill_signal)
            done, _ = await asyncio.wait({self._watch}, timeout=limit_s or self.unit.timeout_stop_s)
            if not done:
                self.kill(signal.SIGKILL)
                await self._watch
        finally:
            self._stopping = False
        return None
