"""What became of the rows that a writer had acknowledged when its database was killed."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from shlex import quote

import msgspec
import psycopg

from console.errors import NodeUnreachable
from console.nodes.scripts import whole
from console.nodes.ssh import SshNode
from console.plan.probe import WritesProbe
from console.probes.base import Observation, PlainProber, blame
from console.probes.database import DatabaseLink, NoAnswer, server_words
from console.terms import Status

NONE: frozenset[int] = frozenset()


class Log(msgspec.Struct, frozen=True):
    """What the writer says: `+` a new session, `? N` asked for, `! N` acknowledged; `#` the crash."""

    asked: frozenset[int] = NONE
    acknowledged: frozenset[int] = NONE
    since: int = 0
    """How many were acknowledged in the sessions after the crash."""
    struck: bool = False


class Account(msgspec.Struct, frozen=True):
    """The writer's log against the rows that are there."""

    acknowledged: int
    since: int
    lost: frozenset[int] = NONE
    """Acknowledged, and not there."""
    torn: frozenset[int] = NONE
    """There, with a text that is not the one written."""
    in_flight: frozenset[int] = NONE
    """There, and asked for when the connection broke, so never acknowledged: both may happen to such a row."""
    foreign: frozenset[int] = NONE
    """There, and never asked for."""

    @property
    def data_lost(self) -> bool:
        """Whether a promise of the database was broken."""
        return bool(self.lost or self.torn or self.foreign)

    def __str__(self) -> str:
        """One sentence, with the numbers of the rows."""
        wrong = [
            f"{len(rows)} {what} ({ranges(rows)})"
            for rows, what in (
                (self.lost, f"of {self.acknowledged} acknowledged rows are gone"),
                (self.torn, "rows are damaged"),
                (self.foreign, "rows were never written by us"),
            )
            if rows
        ]
        if wrong:
            return "; ".join(wrong)
        flying = f"; in flight when it broke, and there: {ranges(self.in_flight)}" if self.in_flight else ""
        return f"all {self.acknowledged} acknowledged rows are there, {self.since} of them since the crash{flying}"


def read_log(text: str) -> Log:
    r"""The writer's log; a last line without its end is left out: it is still being written.

    >>> read_log("+\n? 1\n! 1\n? 2\n#\n+\n? 3\n! 3\n? 4").since
    1
    """
    asked: set[int] = set()
    acknowledged: set[int] = set()
    since, struck, anew = 0, False, False
    for line in text.splitlines(keepends=True):
        found = re.fullmatch(r"([+#]|[?!] (\d{1,15}))\n", line)
        if not found:
            continue
        match found[1][0]:
            case "+":
                anew = struck
            case "#":
                struck = True
            case "?":
                asked.add(int(found[2]))
            case _:
                acknowledged.add(int(found[2]))
                since += anew
    return Log(frozenset(asked), frozenset(acknowledged), since, struck)


def account(before: Log, rows: dict[int, bool], after: Log) -> Account:
    """The rows (number -> whole) against the log as it was just before and just after they were read."""
    there = frozenset(rows)
    return Account(
        acknowledged=len(before.acknowledged),
        since=before.since,
        lost=before.acknowledged - there,
        torn=frozenset(number for number, sound in rows.items() if not sound),
        in_flight=(there & after.asked) - after.acknowledged,
        foreign=there - after.asked,
    )


def ranges(numbers: Iterable[int]) -> str:
    """Numbers in order, runs of them as ranges, and no more than ten of those.

    >>> ranges([3, 1, 2, 7, 9, 10])
    '1-3, 7, 9-10'
    """
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][-1] + 1:
            found[-1] = [found[-1][0], number]
        else:
            found.append([number])
    told = ["-".join(map(str, run)) for run in found]
    return ", ".join(told[:10]) + (f" and {len(told) - 10} more ranges" if len(told) > 10 else "")


class WritesProber(PlainProber):
    """Reads the writer's log on the node and its table in the database, and compares them."""

    def __init__(self, probe: WritesProbe, node: SshNode, link: DatabaseLink) -> None:
        self._probe = probe
        self._node = node
        self._link = link

    async def check(self) -> Observation:
        """Compare once."""
        try:
            before = await self._log()
            if not before.struck:
                return Observation(Status.UNKNOWN, "the writer's log tells of no crash yet", time.time())
            rows = await self._rows()
            after = await self._log()
        except NodeUnreachable as error:
            return Observation(Status.UNKNOWN, str(error), time.time())
        except NoAnswer as error:
            status, why = await blame(self._link.node)
            return Observation(status, f"{error}{why}", time.time())
        told = account(before, rows, after)
        if told.data_lost:
            return Observation(Status.FAIL, str(told), time.time(), data_lost=True)
        if told.since < self._probe.at_least:
            text = f"{told.since} rows were written since the crash, {self._probe.at_least} are wanted"
            return Observation(Status.FAIL, text, time.time())
        return Observation(Status.PASS, str(told), time.time())

    async def _log(self) -> Log:
        """The writer's log; an empty one where there is none.

        Raises:
            NodeUnreachable: no answer.
        """
        file = quote(f"{self._probe.folder}/writes")
        done = await self._node.run("sh -s", input=whole(f"[ ! -f {file} ] || cat {file}"), sudo=True)
        return read_log(done.stdout)

    async def _rows(self) -> dict[int, bool]:
        """Number -> whether the row is as it was written. A table that is gone has no row.

        Raises:
            NodeUnreachable: the node's link is down.
            NoAnswer: the database refuses, or does not answer in time.
        """
        table, limit_s = self._probe.table, self._probe.timeout_s
        query = f"select n, body = repeat(md5(n::text), 8) from public.{table}"  # noqa: S608 (a run id)
        async with await self._link.connect_new(timeout_s=limit_s) as connection:
            try:
                cursor = await connection.execute(query.encode())
                return {int(number): bool(sound) for number, sound in await cursor.fetchall()}
            except psycopg.errors.UndefinedTable:
                return {}
            except psycopg.Error as error:
                raise NoAnswer(f"{self._link.name}: {server_words(error)}") from error
