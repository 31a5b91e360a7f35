"""One writer beside a store for a whole run: what it was asked to keep, what it said, and what it gives back."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from importlib import resources
from itertools import count
from shlex import quote
from typing import TypeVar

from console.errors import GamedayError, NodeUnreachable
from console.nodes.ssh import SshNode
from console.nodes.stream import Stream
from console.plan.probe import StoreProbe
from console.probes.store_ledger import Answer, Ledger, ReadBack
from console.probes.store_program import ranges

T = TypeVar("T")

PERIOD_S = 0.15
"""A record is asked for so often, in seconds, where the store has answered the one before by then."""
SIZE_BYTES = 2048
READY_LIMIT_S = 10.0
"""How long the program on the node may take to begin, in seconds."""
ATTEMPTS = 2
"""So often the program is begun before it is said that it cannot be; afterwards it is tried on."""
RETRY_S = 0.5
"""The pause before a writer that went out of sight is begun anew, in seconds."""
BULK_LIMIT_S = 60.0
"""How long reading everything back, or deleting it, may take, in seconds."""


class NoWriter(GamedayError):
    """The writer cannot tell anything now, for a reason that is not the store's."""


class StoreWriter:
    """The writer of one store in one run, shared by all who ask about that store.

    The program beside the store (store_program.py) ends by itself one lease after it last heard from here; when it was
    lost it is begun anew, with numbers that none before can have used.
    """

    def __init__(
        self,
        store: StoreProbe,
        node: SshNode,
        *,
        lease_s: float,
        limit_s: float,
        period_s: float = PERIOD_S,
        size_bytes: int = SIZE_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self.node = node
        self.ledger = Ledger()
        self.why = "the writer was not begun"
        """Why it cannot tell anything now; empty: it can."""
        self.limit_s = limit_s
        self._lease_s = lease_s
        self._period_s = period_s
        self._size_bytes = size_bytes
        self._clock = clock
        self._begun = False
        self._failures = 0
        self._wanted = True
        self._writes = False
        """Whether a program on the node may be writing."""
        self._stream: Stream | None = None
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._ids = count(1)
        self._asked: dict[str, dict[str, str]] = {}
        """Question -> what was said of it so far."""
        self._whole: set[str] = set()
        """The questions that have all of their answer."""

    @property
    def begun(self) -> bool:
        """Whether it was ever started."""
        return self._begun

    @property
    def prefix(self) -> str:
        """What the keys of this run begin with."""
        return f"gameday-{self.store.run}-"

    @property
    def where(self) -> str:
        """The store for people."""
        return f"store {self.store.store} on {self.node.name}"

    async def start(self) -> None:
        """Begin, if it has not begun, and return when it writes.

        Raises:
            NoWriter: it did not begin.
        """
        self._failures = 0
        if not self._begun:
            self._begun = True
            self.why = "the writer has not begun yet"
            self._task = asyncio.create_task(self._run(), name=f"writer of {self.store.store}")

        def told() -> bool | None:
            return True if self._stream else False if self._failures >= ATTEMPTS else None

        begun = await self.until(told, READY_LIMIT_S)
        if not begun:
            raise NoWriter(f"{self.where} cannot be written to: {self.why}")

    async def stop(self) -> None:
        """Write no more; everything can still be read. Returns when the last record has been answered or is lost."""
        if self._task is None:
            return
        self._wanted = False
        with contextlib.suppress(NoWriter):  # then it ends with its lease, and none is begun anew that writes
            await self._ask(self.limit_s + 2.0, "stop")
            self._writes = False

    async def close(self) -> None:
        """End the program on the node."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    # ---- questions

    async def until(self, told: Callable[[], T | None], limit_s: float) -> T | None:
        """What `told` says as soon as it says something; None after `limit_s`."""
        end_s = asyncio.get_running_loop().time() + limit_s
        while (found := told()) is None:
            news = self._news
            try:
                async with asyncio.timeout_at(end_s):
                    await news.wait()
            except TimeoutError:
                return told()
        return found

    async def next_answer(self, limit_s: float) -> Answer | None:
        """What the store says to a record that is asked for from now on, or that it leaves one without an answer.

        None: nothing was heard within `limit_s`.

        Raises:
            NoWriter: it went out of sight.
        """
        begun, after = len(self.ledger.answers), self.ledger.last + 1  # the next one may be on its way already

        def told() -> Answer | None:
            new = self.ledger.answers[begun:]
            found = next((answer for answer in new if answer.number > after or answer.kind == "silent"), None)
            if found is None and self.why:
                raise NoWriter(self.why)
            return found

        return await self.until(told, limit_s)

    async def read(self, number: int, limit_s: float) -> tuple[str, str]:
        """How the record of that number is now, in a word (see store_program.py), and why.

        Raises:
            NoWriter: it could not be asked.
        """
        found = await self._ask(self.limit_s + limit_s, "read", number)
        return next(iter(found.items()))

    async def read_back(self) -> ReadBack:
        """Everything that was acknowledged until now, read.

        Raises:
            NoWriter: it could not be asked.
        """
        before = self.ledger.log()
        found = await self._ask(BULK_LIMIT_S + 5 * self.limit_s, "whole", BULK_LIMIT_S, ranges(before.acknowledged))
        return self.ledger.read_back(before, found)

    async def delete(self) -> tuple[int, int, str]:
        """Delete the records of this run: how many were, how many are left, and why.

        Raises:
            NoWriter: it could not be asked.
        """
        known = ranges(self.ledger.log().acknowledged)
        found = await self._ask(BULK_LIMIT_S + 5 * self.limit_s, "delete", BULK_LIMIT_S, known)
        left, _, why = found["left"].partition("\t")
        return int(found["deleted"]), int(left), why

    async def _ask(self, limit_s: float, *words: object) -> dict[str, str]:
        name = str(next(self._ids))
        verb, *rest = map(str, words)
        stream = self._stream
        if stream is None or self.why:
            raise NoWriter(self.why)
        self._asked[name] = {}
        try:
            await stream.write("\t".join((verb, name, *rest)) + "\n")
            done = await self.until(
                lambda: True if name in self._whole or self._stream is not stream else None, limit_s
            )
            if name not in self._whole:
                raise NoWriter(self.why if done else f"the writer on {self.node.name} did not answer")
            return self._asked[name]
        except NodeUnreachable as error:
            raise NoWriter(str(error)) from error
        finally:
            self._whole.discard(name)
            del self._asked[name]

    # ---- the program on the node

    async def _run(self) -> None:
        while True:
            try:
                await self._session()
            except NodeUnreachable as error:
                self.why = str(error)
            self._failures += 1
            self._tell()
            await asyncio.sleep(RETRY_S)

    async def _session(self) -> None:
        text = resources.files(__package__).joinpath("store_program.py").read_text(encoding="utf-8")
        bootstrap = quote(f"import sys;exec(sys.stdin.read({len(text)}))")
        stream = await self.node.stream(f"exec python3 -uc {bootstrap}")
        beat = asyncio.create_task(self._beat(stream), name=f"writer's beat {self.store.store}")
        complaint = ""
        try:
            self._writes = self._wanted
            await stream.write(text + self._settings())
            async for line in stream:
                if line == "ready":
                    self._stream, self.why = stream, ""
                elif not self._take(line):
                    complaint = line.strip() or complaint
                self._tell()
            self.why = f"the writer on {self.node.name} ended" + (f": {complaint}" if complaint else "")
        except NodeUnreachable as error:
            self.why = str(error)
        finally:
            beat.cancel()
            self.ledger.broke(self._unseen())
            self._stream, self._writes = None, False
            self._tell()
            stream.hang_up()

    def _take(self, line: str) -> bool:
        if not line.startswith("=\t"):
            return self.ledger.take(line, self._clock())
        _, name, word, *rest = [*line.split("\t"), ""]
        if word == "end":
            self._whole.add(name)
        elif name in self._asked:
            self._asked[name][word] = "\t".join(rest[:-1])
        return True

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _beat(self, stream: Stream) -> None:
        with contextlib.suppress(NodeUnreachable):
            while True:
                await asyncio.sleep(self._lease_s / 4)
                await stream.write("\n")

    def _unseen(self) -> int:
        """How many records a writer that is out of sight may have asked for before it ended."""
        return round((self._lease_s + self.limit_s) * 2 / self._period_s) + 10 if self._writes else 0

    def _settings(self) -> str:
        told = {
            "url": self.store.url,
            "command": "\0".join(self.store.command),
            "prefix": self.prefix,
            "size": self._size_bytes,
            "period": self._period_s,
            "limit": self.limit_s,
            "lease": self._lease_s,
            "first": self.ledger.last + 1 if self._wanted else 0,
        }
        return "".join(f"{name}\t{str(value).encode().hex()}\n" for name, value in told.items()) + "\n"
