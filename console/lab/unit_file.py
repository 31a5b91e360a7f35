"""Unit files in systemd's INI syntax: the part of it that the lab's supervisor understands."""

from __future__ import annotations

import re
import shlex
import signal
from dataclasses import dataclass, field
from pathlib import Path

CLEAN_SIGNALS = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE})
"""Ending by one of these counts as success (systemd.service(5), SuccessExitStatus=)."""

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|min|s|h|)", re.ASCII)
_SECONDS = {"us": 1e-6, "ms": 1e-3, "": 1.0, "s": 1.0, "min": 60.0, "h": 3600.0}


class UnitError(ValueError):
    """A unit file that cannot be used; the sentence says why."""


@dataclass(frozen=True)
class Unit:
    """One service as its unit file says it; defaults are systemd's."""

    name: str
    exec_start: tuple[str, ...]
    path: str = ""
    description: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    working_directory: str = ""
    restart: str = "no"
    restart_s: float = 0.1
    start_limit_burst: int = 5
    start_limit_interval_s: float = 10.0
    success_exit: frozenset[int] = frozenset()
    """Exit statuses, and signals as negative numbers, that count as success besides the usual ones."""
    timeout_stop_s: float = 90.0
    kill_signal: int = signal.SIGTERM

    def succeeded(self, code: int) -> bool:
        """Whether that return code (-N for signal N) is a clean end."""
        return code == 0 or code in self.success_exit or -code in CLEAN_SIGNALS

    def restarts_after(self, code: int) -> bool:
        """Whether the service is started again after that return code.

        >>> Unit("a", ("true",), restart="on-failure").restarts_after(-signal.SIGTERM)
        False
        """
        wanted = {
            "always": True,
            "on-success": self.succeeded(code),
            "on-failure": not self.succeeded(code),
            "on-abnormal": code < 0 and not self.succeeded(code),
        }
        return wanted.get(self.restart, False)


def load_unit(file: Path) -> Unit:
    """The unit in that file.

    Raises:
        UnitError: it cannot be read or understood.
    """
    try:
        return parse_unit(file.name, file.read_text(), str(file))
    except OSError as error:
        raise UnitError(f"{file.name}: {error.strerror}") from error


def parse_unit(name: str, text: str, path: str = "") -> Unit:
    """The unit of that text. Keys that are not known are left out, as systemd does.

    Raises:
        UnitError: no ExecStart=, or a value that makes no sense.
    """
    values: dict[str, list[str]] = {}
    for line in text.replace("\\\n", " ").splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith(("#", ";", "[")):
            values.setdefault(key.strip(), []).append(value.strip())

    def last(key: str, default: str) -> str:
        return values.get(key, [default])[-1] or default

    try:
        command = tuple(shlex.split(last("ExecStart", "")))
        if not command:
            raise UnitError("lacks ExecStart=")
        assignments = [word for line in values.get("Environment", []) for word in shlex.split(line)]
        return Unit(
            name=name,
            path=path,
            exec_start=command,
            description=last("Description", name),
            environment=dict(word.split("=", 1) for word in assignments),
            working_directory=last("WorkingDirectory", ""),
            restart=last("Restart", "no"),
            restart_s=seconds(last("RestartSec", "100ms")),
            start_limit_burst=int(last("StartLimitBurst", "5")),
            start_limit_interval_s=seconds(last("StartLimitIntervalSec", "10")),
            success_exit=frozenset(_exit_status(word) for word in last("SuccessExitStatus", "").split()),
            timeout_stop_s=seconds(last("TimeoutStopSec", "90")),
            kill_signal=signal_number(last("KillSignal", "SIGTERM")),
        )
    except ValueError as error:
        raise UnitError(f"{name}: {error}") from error


def seconds(text: str) -> float:
    """A time span as systemd writes it, in seconds.

    >>> seconds("1min 30s"), seconds("500ms"), seconds("2")
    (90.0, 0.5, 2.0)

    Raises:
        UnitError: not a time span.
    """
    if text.strip() == "infinity":
        return float("inf")
    if not re.fullmatch(rf"(\s*{_SPAN.pattern}\s*)+", text, re.ASCII):
        raise UnitError(f"'{text}' is no time span")
    return sum(float(number) * _SECONDS[unit] for number, unit in _SPAN.findall(text))


def signal_number(text: str) -> int:
    """The number of a signal given as `SIGTERM`, `TERM` or `15`.

    >>> signal_number("KILL"), signal_number("SIGTERM"), signal_number("1")
    (9, 15, 1)

    Raises:
        UnitError: no such signal.
    """
    try:
        return int(signal.Signals(int(text)) if text.isdigit() else signal.Signals[f"SIG{text.removeprefix('SIG')}"])
    except (KeyError, ValueError) as error:
        raise UnitError(f"'{text}' is no signal") from error


def _exit_status(word: str) -> int:
    return int(word) if word.isdigit() else -signal_number(word)
