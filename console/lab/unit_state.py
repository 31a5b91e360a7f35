"""What systemd tells of a unit: its state, result, counters and time stamps, as `systemctl show` prints them."""

from __future__ import annotations

import shlex
import signal
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from console.lab.unit_file import Unit

STAMPS = (
    "ExecMainStart",
    "ExecMainExit",
    "StateChange",
    "InactiveExit",
    "ActiveEnter",
    "ActiveExit",
    "InactiveEnter",
)
"""The stamps of a unit; each is shown as NameTimestamp= (UTC) and NameTimestampMonotonic= (microseconds)."""


@dataclass
class UnitState:
    """The changing part of a service. Times are time.monotonic() seconds."""

    active: str = "inactive"
    sub: str = "dead"
    result: str = "success"
    n_restarts: int = 0
    main_pid: int = 0
    """The last main process, also after its end."""
    main_code: int = 0
    """CLD_EXITED (1) or CLD_KILLED (2); 0 while it runs."""
    main_status: int = 0
    invocation: str = ""
    stamps: dict[str, float] = field(default_factory=dict)

    def stamp(self, name: str, now: float) -> None:
        """Note the time of something; an empty name notes nothing."""
        if name:
            self.stamps[name] = now

    def enter(self, active: str, sub: str, now: float) -> None:
        """Change state, with the stamps that belong to it."""
        was_up, is_up = self.active in _UP, active in _UP
        was_down, is_down = self.active in _DOWN, active in _DOWN
        self.stamp("ActiveEnter" if is_up and not was_up else "ActiveExit" if was_up and not is_up else "", now)
        self.stamp("InactiveEnter" if is_down and not was_down else "", now)
        self.stamp("InactiveExit" if was_down and not is_down else "", now)
        self.stamp("StateChange", now)
        self.active, self.sub = active, sub

    def ended(self, code: int, now: float) -> None:
        """Note how the main process ended: its return code, -N for signal N."""
        self.main_code, self.main_status = (2, -code) if code < 0 else (1, code)
        self.stamp("ExecMainExit", now)

    def show(self, unit: Unit, pid: int) -> str:
        """All properties, one a line."""
        properties = {
            "Type": "simple",
            "Restart": unit.restart,
            "RestartUSec": span(unit.restart_s),
            "TimeoutStopUSec": span(unit.timeout_stop_s),
            "MainPID": pid,
            "Result": self.result,
            "NRestarts": self.n_restarts,
            "ExecMainPID": self.main_pid,
            "ExecMainCode": 0 if pid else self.main_code,
            "ExecMainStatus": 0 if pid else self.main_status,
            "ExecStart": f"{{ path={unit.exec_start[0]} ; argv[]={shlex.join(unit.exec_start)} }}",
            "Environment": shlex.join(f"{key}={value}" for key, value in unit.environment.items()),
            "KillMode": "control-group",
            "KillSignal": unit.kill_signal,
            "SuccessExitStatus": " ".join(str(_status_name(code)) for code in sorted(unit.success_exit)),
            "Id": unit.name,
            "Names": unit.name,
            "Description": unit.description,
            "LoadState": "loaded",
            "ActiveState": self.active,
            "SubState": self.sub,
            "FragmentPath": unit.path,
            "UnitFileState": "enabled",
            "StartLimitIntervalUSec": span(unit.start_limit_interval_s),
            "StartLimitBurst": unit.start_limit_burst,
            "InvocationID": self.invocation,
        }
        lines = [f"{key}={value}" for key, value in properties.items()]
        offset = time.time() - time.monotonic()
        for name in STAMPS:
            at = self.stamps.get(name)
            when = "" if at is None else f"{datetime.fromtimestamp(at + offset, UTC):%a %Y-%m-%d %H:%M:%S.%f UTC}"
            lines += [f"{name}Timestamp={when}", f"{name}TimestampMonotonic={round((at or 0) * 1e6)}"]
        return "\n".join(lines) + "\n"


_UP = ("active", "reloading")
_DOWN = ("inactive", "failed")


def _status_name(code: int) -> str:
    return str(code) if code >= 0 else signal.Signals(-code).name


def span(seconds: float) -> str:
    """A time span as systemd prints it.

    >>> span(2), span(0.1), span(90), span(float("inf"))
    ('2s', '100ms', '1min 30s', 'infinity')
    """
    if seconds == float("inf"):
        return "infinity"
    microseconds = round(seconds * 1_000_000)
    words = []
    for word, size in (("h", 3_600_000_000), ("min", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1)):
        count, microseconds = divmod(microseconds, size)
        words += [f"{count}{word}"] if count else []
    return " ".join(words) or "0"
