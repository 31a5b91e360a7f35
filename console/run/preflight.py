"""What a fault's preflight script says of its target, asked of the node as root; it changes nothing there."""

from __future__ import annotations

import shlex
from typing import Literal

import msgspec

from console.fleet import Fleet
from console.plan.plan import PlannedAction

LIMIT_S = 20.0


class Preflight(msgspec.Struct, frozen=True):
    """The answer: `fit`, or why not. `refused`: a guard rail forbids it; `unfit`: it would mean nothing now."""

    answer: Literal["fit", "unfit", "refused"]
    reasons: tuple[tuple[str, str], ...] = ()
    """Each reason with its fix, which may be empty; where it is fit, what it has to say."""
    warnings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All reasons, each with its fix, in one line."""
        return "; ".join(f"{what} ({fix})" if fix else what for what, fix in self.reasons)


async def preflight(action: PlannedAction, fleet: Fleet) -> Preflight:
    """Ask the action's node.

    Raises:
        NodeUnreachable: no answer.
    """
    if not action.scripts.preflight:
        return Preflight("fit")
    node = fleet.node(action.node)
    console = f"export GAMEDAY_CONSOLE={shlex.quote(await node.seen_from())}\n"
    done = await node.run("sh -s", input=console + action.scripts.preflight, timeout_s=LIMIT_S, sudo=True)
    return read(done.exit_status, done.stdout, done.stderr)


def read(exit_status: int | None, stdout: str, stderr: str = "") -> Preflight:
    """What the script's answer means; see `console.faults.base.Scripts`.

    >>> read(3, "/tmp holds /data\\nfix: name another path\\n").text
    '/tmp holds /data (name another path)'
    >>> read(0, "warning: small\\n").warnings
    ('warning: small',)
    """
    said = [line.strip() for line in stdout.splitlines() if line.strip()]
    warnings = tuple(line for line in said if line.startswith("warning:"))
    reasons: list[tuple[str, str]] = []
    for line in said:
        if line.startswith("fix:") and reasons:
            reasons[-1] = (reasons[-1][0], line.removeprefix("fix:").strip())
        elif line not in warnings:
            reasons.append((line, ""))
    if exit_status == 0:
        return Preflight("fit", tuple(reasons), warnings)
    if not reasons:
        reasons = [(stderr.strip() or "the preflight script failed without a word", "")]
    return Preflight("refused" if exit_status == 3 else "unfit", tuple(reasons), warnings)
