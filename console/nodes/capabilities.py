"""What a node can do for the faults: everything of `console.faults.needs` in one question."""

from __future__ import annotations

from console.faults import needs
from console.faults.needs import Answer
from console.nodes import scripts
from console.nodes.ssh import SshNode
from console.terms import Status

LIMIT_S = 15.0
"""A firewall that is being changed by others is waited for up to 5 s, for each of IPv4 and IPv6."""


def checks() -> dict[str, str]:
    """Need -> its sh text, for those that are no programs."""
    own = {name: need.check for name, need in needs.NEEDS.items() if need.check}
    return {**own, needs.SYSTEMD_GUARD: scripts.text("kind.sh")}


async def capabilities(node: SshNode) -> dict[str, Answer]:
    """Need -> what the node says of it. One command; it changes nothing.

    Where sudo is asked for and refused, programs are looked for without it, and what only root can tell is unknown.

    Raises:
        NodeUnreachable: no answer.
    """
    program = scripts.whole(needs.question(checks()))
    done = await node.run("sh -s", input=program, timeout_s=LIMIT_S, sudo=True)
    if needs.MARK in done.stdout.splitlines() or not node.spec.sudo:
        return needs.answers(done.stdout)
    said = " ".join(done.stderr.split()) or "it gave no answer"
    unprivileged = scripts.whole("PATH=$PATH:/usr/sbin:/sbin", needs.question(checks()))
    found = needs.answers((await node.run("sh -s", input=unprivileged, timeout_s=LIMIT_S)).stdout)
    for name in checks():
        found[name] = Answer(Status.UNKNOWN, "only root can tell")
    return {**found, needs.ROOT: Answer(Status.FAIL, said)}
