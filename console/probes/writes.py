"""What became of the rows that a writer had acknowledged when its database was killed."""

from __future__ import annotations

import re
import time
from shlex import quote

import psycopg

from console.errors import NodeUnreachable
from console.nodes.scripts import whole
from console.nodes.ssh import SshNode
from console.plan.probe import WritesProbe
from console.probes.accounting import Log, account
from console.probes.base import Observation, PlainProber, blame
from console.probes.database import DatabaseLink, NoAnswer, server_words
from console.terms import Status


def read_log(text: str) -> Log:
    r"""The writer's log: `+` a new session, `? N` asked for, `! N` acknowledged, `#` the crash.

    A last line without its end is left out: it is still being written.

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
        if before.since < self._probe.at_least:
            text = f"{before.since} rows were written since the crash, {self._probe.at_least} are wanted"
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
