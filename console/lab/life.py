"""A lab's daemon: how it lives and ends, whatever kind of lab it keeps.

Its standard input is the lifeline of who called `up`: a byte on it lets the lab live on alone, its end takes the lab
down. Its standard output tells, line by line, `progress TEXT`, then `ready PATH` or `failed TEXT`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path

import msgspec

from console.errors import GamedayError
from console.lab.fleet import FLEET
from console.lab.layout import LAB_MARK, LabLayout
from console.lab.lock import hold_lock
from console.lab.network import Network
from console.lab.remains import Facts, clear, end_processes

HEALTHY_LIMIT_S = 30.0


def say(kind: str, text: object) -> None:
    """Tell the caller of `up`. One that has gone is noticed by the lifeline, not here."""
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), f"{kind} {' '.join(str(text).split())}\n".encode())


class Keeper(ABC):
    """Builds one lab, keeps it and takes it down."""

    def __init__(self, lab: LabLayout) -> None:
        self._lab = lab
        self._over = asyncio.Event()
        self._died = ""
        """Which node died, with its last words."""
        self._tasks: list[asyncio.Task[None]] = []
        """What runs while the lab is up; cancelled before it goes down."""

    @abstractmethod
    async def _up(self) -> None:
        """Build the lab; its inventory comes last."""

    @abstractmethod
    async def _down(self) -> None:
        """Take down what there is of it."""

    async def run(self) -> int:
        """Live until the lifeline is cut, a signal comes, or a node dies; the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._over.set)
        loop.add_reader(sys.stdin.fileno(), self._on_lifeline)
        over = asyncio.create_task(self._end())
        up = asyncio.create_task(self._up())
        code = 0
        try:
            await asyncio.wait({over, up}, return_when=asyncio.FIRST_COMPLETED)
            if up.done():
                up.result()
                say("ready", self._lab.inventory)
                await over
            elif self._died:
                raise GamedayError(self._died)
        except (GamedayError, OSError) as error:
            say("failed", error)
            code = 1
        finally:
            for task in (up, over, *self._tasks):
                task.cancel()
            await asyncio.gather(up, over, *self._tasks, return_exceptions=True)
            await self._down()
        return code

    async def _end(self) -> None:
        await self._over.wait()

    def _on_lifeline(self) -> None:
        if not os.read(sys.stdin.fileno(), 1):
            self._over.set()
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())

    async def _watch(self, name: str, process: asyncio.subprocess.Process, log: Path | None = None) -> None:
        """A lab with a dead node is no lab: end it, rather than leave that node's processes to nobody.

        `log`: where its last words may be.
        """
        await process.wait()
        self._died = f"node {name} died{last_words(log)}"
        print(f"{self._died}, the lab goes down", file=sys.stderr, flush=True)  # noqa: T201 -- the daemon's log
        self._over.set()


def last_words(log: Path | None) -> str:
    """The end of a console's log in one line, without colours; empty where there is none."""
    try:
        lines = log.read_text(errors="replace").splitlines()[-6:] if log else []
    except OSError:
        return ""
    said = " / ".join(line for raw in lines if (line := re.sub(r"\x1b\[[0-9;]*m", "", raw).strip()))
    return f": {said}" if said else ""


async def await_healthy(network: Network, linked: Callable[[], Awaitable[str]], without: Collection[str] = ()) -> None:
    """Wait until each service answers its health check, and `linked` has nothing to complain about any more.

    `without`: services that cannot run here.

    Raises:
        GamedayError: not so within 30 s.
    """
    urls = [
        (service.name, f"http://{network.address(node.name)}:{network.ports[service.name]}{service.health}")
        for node in FLEET
        for service in node.services
        if service.health and service.name not in without
    ]
    deadline = asyncio.get_running_loop().time() + HEALTHY_LIMIT_S

    async def complaint() -> str:
        for name, url in urls:
            if not await asyncio.to_thread(_answers, url):
                return name
        return await linked()

    while waiting := await complaint():
        if asyncio.get_running_loop().time() > deadline:
            raise GamedayError(f"{waiting} was not healthy within {HEALTHY_LIMIT_S:.0f} s")
        await asyncio.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2.0) as answer:  # noqa: S310 -- the lab's own http URL
            return bool(answer.status == 200)
    except OSError:
        return False


def keep(root: Path, build: Callable[[LabLayout], tuple[Keeper, Facts]]) -> int:
    """Run one lab in that folder, after what one before it left has been cleared; the exit code."""
    lab = LabLayout(root)
    try:
        with hold_lock(lab):
            end_processes(lab)
            clear(lab)
            keeper, facts = build(lab)
            lab.facts.write_bytes(msgspec.json.encode(facts))
            return asyncio.run(keeper.run())
    except GamedayError as error:
        say("failed", error)
        return 1


def lab_id() -> str:
    """The id of the lab whose daemon this is."""
    return os.environ[LAB_MARK]
