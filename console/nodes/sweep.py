"""What runs have left on a node: told from what a living run holds, taken back and proven on demand."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Literal

import msgspec

from console.errors import NodeUnreachable
from console.nodes import scripts
from console.nodes.proof import Proof
from console.nodes.ssh import Completed, SshNode
from console.terms import Status

SECOND_LOOK_S = 1.0
"""A guard that is just being set up, or just going, looks like a leftover for less than this."""
CLEAR_LIMIT_S = 600.0
"""The node bounds the revert itself; this only ends the wait for a node that hangs."""

CLEAR = """\
if unit && [ "$holder" = "$RUN" ]; then D=$where/$RUN; fi
if [ -e "$D/settings" ]; then exec sh "$D/guard" clear; fi
if [ "$UNDO" ] && [ -e "$UNDO/settings" ]; then exec sh "$UNDO/guard" clear; fi
end_marked
rm -rf "$D" ${UNDO:+"$UNDO"}
first_line "$R/guard/run"
if [ "$line" = "$RUN" ]; then rm -rf "$R/guard"; fi
if unit && [ "$holder" = "$RUN" ]; then systemctl reset-failed $UNIT; fi
echo "its folder was gone; what still ran was killed"
"""


class Trace(msgspec.Struct, frozen=True):
    """A run that has something on a node. `held` belongs to a living guard, and is never touched."""

    node: str
    run: str
    """Empty if not even that is known."""
    operator: str
    state: Literal["held", "leftover"]
    lease_left_s: float | None
    """For how long the node waits for the run's console, in seconds; None where nothing is held."""
    detail: str
    until_s: float | None = None
    """Until when the node holds it by itself, by the node's clock in seconds since the epoch; None: for its console."""

    @property
    def overdue(self) -> bool:
        """Whether the guard waits for its console no more, and has not yet proven the node clean."""
        return self.lease_left_s is not None and self.lease_left_s < 0

    @property
    def lease(self) -> str:
        """Like `lease 2 s`.

        >>> Trace("redfin", "r1", "ann", "held", -2.4, "").lease
        'its lease lapsed 2 s ago: its guard is taking the fault back'
        """
        if self.lease_left_s is None:
            return "lease ? s"
        if self.overdue:
            return f"its lease lapsed {-self.lease_left_s:.0f} s ago: its guard is taking the fault back"
        if self.until_s is not None:
            clock = datetime.fromtimestamp(self.until_s).astimezone().strftime("%H:%M:%S")
            return f"until {clock} ({self.lease_left_s:.0f} s left), when the node takes it back by itself"
        return f"lease {self.lease_left_s:.0f} s"


async def survey(node: SshNode) -> list[Trace]:
    """Every run that has something on the node. Changes nothing; what a guard has proven clean is no trace.

    Raises:
        NodeUnreachable: no answer.
    """
    found = await _look(node)
    if any(trace.state == "leftover" for trace in found):
        await asyncio.sleep(SECOND_LOOK_S)
        found = await _look(node)
    return found


async def clear(node: SshNode, trace: Trace) -> Proof:
    """Take back what the run left and prove it clean, by the run's own scripts; then remove it.

    What cannot be proven clean stays, and keeps the node locked.
    """
    if trace.state == "held":
        return Proof(Status.FAIL, f"held by run {trace.run}, operator {trace.operator}: nothing was touched")
    if "/" in trace.run or trace.run in (".", ".."):
        return Proof(Status.UNKNOWN, f"{trace.run!r} is no run id: look at {node.name} yourself")
    run_dir = node.spec.run_dir
    undo = f"{node.spec.undo_dir}/{trace.run}" if trace.run else ""
    names = scripts.assignments(
        {"R": run_dir, "RUN": trace.run, "D": f"{run_dir}/{trace.run or 'guard'}", "UNDO": undo}
    )
    try:
        done = await _program(node, names + scripts.text("lib.sh") + CLEAR, CLEAR_LIMIT_S)
    except NodeUnreachable as error:
        return Proof(Status.UNKNOWN, str(error))
    status = {0: Status.PASS, 1: Status.FAIL}.get(-1 if done.exit_status is None else done.exit_status, Status.UNKNOWN)
    return Proof(status, (done.stdout.strip() or done.stderr.strip())[:2000])


async def _look(node: SshNode) -> list[Trace]:
    names = scripts.assignments({"R": node.spec.run_dir, "UNDO_DIR": node.spec.undo_dir})
    done = await _program(node, names + scripts.text("lib.sh") + scripts.text("survey.sh"), 10.0)
    if done.exit_status != 0:
        raise NodeUnreachable(f"{node.where}: it could not be surveyed: {done.stderr.strip()[:200]}")
    return traces(node.name, done.stdout)


async def _program(node: SshNode, text: str, timeout_s: float) -> Completed:
    return await node.run("sh -s", input=scripts.whole(text), timeout_s=timeout_s, sudo=True)


def traces(node: str, listing: str) -> list[Trace]:
    """One trace a run out of what survey.sh printed.

    >>> traces("redfin", "lock\\tr1\\tann\\t250\\t0\\nfolder\\tr1\\tann\\t1\\tholds\\n")[0].lease_left_s
    2.5
    >>> traces("redfin", "undo\\tr3\\tann\\tthe node has rebooted since\\n")[0].detail
    'its undo copy (the node has rebooted since)'
    >>> traces("redfin", "process\\tr2\\t17 sleep 60\\n")[0].detail
    'process 17 sleep 60'
    """
    operators: dict[str, str] = {}
    leases: dict[str, float] = {}
    until: dict[str, float] = {}
    living: set[str] = set()
    details: dict[str, list[str]] = {}
    for line in listing.splitlines():
        kind, run, *rest = line.split("\t")
        said = details.setdefault(run, [])
        if kind == "lock":
            operators[run], leases[run] = rest[0], int(rest[1]) / 100
            said.append("the node's lock")
            if rest[2] == "1":
                living.add(run)
        elif kind == "folder":
            operators[run] = rest[0] or operators.get(run, "")
            said.append(f"its folder ({rest[2]})")
            if rest[1] == "1":
                living.add(run)
        elif kind == "until":
            until[run] = float(rest[0])
        elif kind == "undo":
            operators[run] = rest[0] or operators.get(run, "")
            said.append(f"its undo copy ({rest[1]})")
        else:
            said.append(f"process {rest[0].strip()}")
    return [
        Trace(node, run, operators.get(run, ""), "held", leases.get(run), "a living guard", until.get(run))
        if run in living
        else Trace(node, run, operators.get(run, ""), "leftover", None, "; ".join(said))
        for run, said in details.items()
    ]
