"""Ask a database a query over a new connection: a database is well when a newcomer gets an answer."""

from __future__ import annotations

import time
from shlex import quote

from console.errors import NodeUnreachable
from console.nodes.ssh import SshNode
from console.plan.probe import SqlProbe
from console.probes.base import LINK_LIMIT_S, Observation, PlainProber
from console.probes.database import DatabaseLink, NoAnswer
from console.terms import Status


class SqlProber(PlainProber):
    """Whether the query's first value is the wanted one."""

    def __init__(self, probe: SqlProbe, link: DatabaseLink) -> None:
        self._probe = probe
        self._link = link
        self._before: str | None = None

    async def start(self) -> None:
        """Remember the value where it must stay the same.

        Raises:
            NodeUnreachable: the node's link is down.
            NoAnswer: the database refuses, or does not answer in time.
        """
        if self._probe.unchanged:
            self._before = await self._link.fresh_value(self._probe.sql, timeout_s=self._probe.timeout_s)

    async def check(self) -> Observation:
        """Ask once."""
        probe = self._probe
        began_s = time.time()
        try:
            value = await self._link.fresh_value(probe.sql, timeout_s=probe.timeout_s)
        except NodeUnreachable as error:
            return Observation(Status.UNKNOWN, str(error), time.time())
        except NoAnswer as error:
            status, why = await _claims(self._link.node, probe.unit)
            return Observation(status, f"{error}{why}", time.time())
        now_s = time.time()
        wanted = self._before if probe.unchanged else probe.expect
        good = not (wanted or probe.unchanged) or value == wanted
        text = f"{probe.sql} gave {value}" + ("" if good else f" instead of {wanted}")
        if good and probe.unchanged:
            text += ", as before"
        return Observation(Status.PASS if good else Status.FAIL, text, now_s, max(0.0, now_s - began_s))


async def _claims(node: SshNode, unit: str) -> tuple[Status, str]:
    """Whose fault a missing answer is, and what the service manager makes of it: (FAIL, ...) when the node answers.

    Debian's postgresql.service is an empty shell that says `active` whatever becomes of its instances.
    """
    units = list(dict.fromkeys((unit, f"{unit.partition('@')[0]}.service"))) if "@" in unit else [unit] if unit else []
    asked = "; ".join(f"systemctl show -p ActiveState --value -- {quote(name)}" for name in units) or "true"
    try:
        done = await node.run(asked, timeout_s=LINK_LIMIT_S)
    except NodeUnreachable as error:
        return Status.UNKNOWN, f" ({error})"
    states = list(zip(units, done.stdout.split(), strict=False))
    told = [f"; {name} is {state}" for name, state in states if state != "active"]
    told += [f"; yet {name} claims to be active" for name, state in states if state == "active"]
    return Status.FAIL, "".join(told)
