"""The closed sets of the field's words: risk, phase, status, outcome, reason; and their exit codes."""

from __future__ import annotations

from enum import Enum


class Risk(str, Enum):
    """How much an experiment may hurt; it decides who has to approve."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def rank(self) -> int:
        """0 for low, 1 for medium, 2 for high: compare ranks, never the words."""
        return list(Risk).index(self)


class Category(str, Enum):
    """What kind of thing an experiment breaks (requirements, part A)."""

    SERVICE = "service"
    NETWORK = "network"
    RESOURCE = "resource"
    DATABASE = "database"
    NODE = "node"
    OBSERVATION = "observation"


class Status(str, Enum):
    """What is known about a checklist item, an expectation or a proof. Unknown is never pass."""

    PENDING = "pending"
    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"


class Phase(str, Enum):
    """The phases of a run, in the order in which a run goes through them."""

    CHECKLIST = "checklist"
    APPROVAL = "approval"
    CONFIRM = "confirm"
    ARM = "arm"
    BASELINE = "baseline"
    INJECT = "inject"
    PROVE_EFFECT = "prove effect"
    OBSERVE = "observe"
    REVERT = "revert"
    PROVE_REVERTED = "prove reverted"
    RECOVERY = "recovery"
    RELEASE = "release"
    POST_TEST = "post-test"
    WRITE_UP = "write-up"
    DONE = "done"


class Outcome(str, Enum):
    """How a run ended. See EXIT_CODES for what a headless run returns."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not-run"
    ABORTED = "aborted"
    UNSAFE = "unsafe"
    HELD = "held"
    """Handed to the node, which holds the fault for a time that was said and takes it back by itself: not judged."""


class Reason(str, Enum):
    """Why a run ended as it did; empty for a passed run."""

    NONE = ""
    EXPECTATION = "expectation"
    DATA_LOSS = "data-loss"
    FAULT_NOT_PROVEN = "fault-not-proven"
    FAULT_ENDED_EARLY = "fault-ended-early"
    INCONCLUSIVE = "inconclusive"
    CHECKLIST = "checklist"
    APPROVAL = "approval"
    BASELINE = "baseline"
    REFUSED = "refused"
    LEFTOVERS = "leftovers"
    BUSY = "busy"
    OPERATOR = "operator"
    LEASE_LOST = "lease-lost"
    INTERRUPTED = "interrupted"
    ERROR = "error"
    REVERT_NOT_PROVEN = "revert-not-proven"
    CLEAN_UNKNOWN = "clean-unknown"


EXIT_BAD_INPUT = 2
"""What cannot be parsed or resolved from files."""

EXIT_CODES: dict[Outcome, int] = {
    Outcome.PASSED: 0,
    Outcome.FAILED: 1,
    Outcome.NOT_RUN: 3,
    Outcome.ABORTED: 4,
    Outcome.UNSAFE: 5,
    Outcome.HELD: 0,
}
