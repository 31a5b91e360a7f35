"""What the answers of a guard mean: proofs, and what it left behind on a node that has let go."""

from __future__ import annotations

from console.nodes.proof import Proof
from console.nodes.ssh import Completed
from console.terms import Status

EVIDENCE_CHARS = 2000
BOOT_ID = "/proc/sys/kernel/random/boot_id"
ENDED, GONE = 99, 98
"""How a program ends that finds only what the guard left behind, or nothing at all."""


def reverted(ended: str) -> Proof:
    """What the guard wrote when it took the fault back: a few `name value` lines, then what revert printed.

    >>> reverted("run r1\\noperator ann\\nwhy asked to stop\\nreverted 3\\nat 17\\nboot b\\nno such rule\\n").evidence
    'asked to stop: revert exited 3: no such rule'
    """
    facts = dict(line.partition(" ")[::2] for line in ended.splitlines()[:6])
    output = "\n".join(ended.splitlines()[6:]).strip()
    status = Status.PASS if facts.get("reverted") == "0" else Status.FAIL
    said = f"{facts.get('why')}: revert exited {facts.get('reverted')}"
    return Proof(status, f"{said}: {output}"[:EVIDENCE_CHARS] if output else said)


def told_by_the_end(step: str, done: Completed) -> Proof:
    """What the proof is once the run's folder is gone: the guard removes it only after its own proof."""
    lines = done.stdout.splitlines()
    if step == "effect":
        return Proof(Status.FAIL, "the fault was taken back on the node")
    if "clean 0" in lines and "reverted 0" in lines:
        return Proof(Status.PASS, "proven by the node itself when it took the fault back")
    return Proof(Status.UNKNOWN, said(done))


def boot_said(done: Completed) -> str:
    """The boot id that a program told as its last line; empty: none."""
    word, _, boot = (done.stdout.splitlines() or [""])[-1].partition(" ")
    return boot.strip() if word == "boot" else ""


def said(done: Completed) -> str:
    """What a program printed, or complained of."""
    return (done.stdout.strip() or done.stderr.strip())[:EVIDENCE_CHARS]
