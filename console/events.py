"""What can happen in a run, one class an event. The journal is these as JSON lines; all that is shown is their fold."""

from __future__ import annotations

from typing import Literal

import msgspec

from console.brief import ItemBrief
from console.terms import Outcome, Phase, Reason, Status

Stage = Literal["pre", "post"]


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", forbid_unknown_fields=True):
    """Base of the events. `at_s` is the console's clock in seconds since the epoch."""

    at_s: float


class RunStarted(Event, frozen=True, tag="run-started"):
    """A plan began its one run. The lists tell what will be judged, so that a journal reads without its plan."""

    run: str
    scenario: str
    title: str
    risk: str
    digest: str
    operator: str
    inventory: str
    nodes: tuple[str, ...]
    targets: tuple[str, ...]
    """The nodes that the fault acts on."""
    lease_s: float
    fault: str
    """One line that says what is done, like `process-signal TERM on redfin (llm-gateway)`."""
    fault_lasts_s: float = 0.0
    """0 for a blow; else for how long the fault is held, in seconds."""
    observe_s: float = 0.0
    revert_limit_s: float = 0.0
    steady_state: tuple[ItemBrief, ...] = ()
    expectations: tuple[ItemBrief, ...] = ()
    pre: tuple[ItemBrief, ...] = ()
    post: tuple[ItemBrief, ...] = ()
    trials: int = 1
    trial: int = 0
    """Which of so many trials of the plan with that digest it is, from 1; 0: the plan is run once."""


class PhaseEntered(Event, frozen=True, tag="phase"):
    """The run goes on to its next phase."""

    phase: Phase


class ItemChecked(Event, frozen=True, tag="item"):
    """A checklist item was verified by the console, or ticked by a person (`attested`)."""

    stage: Stage
    id: str
    status: Status
    evidence: str = ""
    attested: bool = False
    by: str = ""
    valid_until_s: float = 0.0
    """Until when an automatic check counts, on the console's clock; 0: for the whole run."""


class ItemOverridden(Event, frozen=True, tag="override"):
    """The operator went on without this item, low risk only."""

    id: str
    reason: str
    by: str


class ApprovalSeen(Event, frozen=True, tag="approval"):
    """A signature was looked at: counted, or refused with the reason."""

    signer: str
    role: str
    vote: str
    accepted: bool
    why: str = ""
    not_before_s: float = 0.0
    not_after_s: float = 0.0
    key: str = ""
    """The fingerprint of the key, where the signature is its owner's."""


class ApprovalSettled(Event, frozen=True, tag="approval-settled"):
    """The approval that the risk asks for is there (or the risk asks for none)."""

    sufficient: bool
    summary: str
    votes_for: int = 0
    votes_against: int = 0
    abstained: int = 0
    """Voters, as they are counted; not signatures."""


class Confirmed(Event, frozen=True, tag="confirmed"):
    """The operator typed the node's name (or ran headless): the run may arm and inject."""

    by: str


class Arming(Event, frozen=True, tag="arming"):
    """Written before the arm command is sent: from here on the node counts as armed."""

    node: str
    hand_revert: str = ""
    """The one command line that reverts by hand on this node if the console dies."""


class Armed(Event, frozen=True, tag="armed"):
    """The node's guard holds."""

    node: str
    guard: Literal["systemd", "shell"]
    lease_s: float


class SteadyStateJudged(Event, frozen=True, tag="steady-state"):
    """A steady-state probe, at the baseline or at the end."""

    id: str
    when: Literal["baseline", "recovery"]
    status: Status
    observed: str


class Injecting(Event, frozen=True, tag="injecting"):
    """Written before `go` is sent to a node."""

    node: str


class Injected(Event, frozen=True, tag="injected"):
    """`go` reached the node's guard. T+ counts from the first of these."""

    node: str


class Detached(Event, frozen=True, tag="detached"):
    """The node holds the fault by itself from here on, and takes it back at `until_s` on the console's clock."""

    node: str
    until_s: float


class EffectJudged(Event, frozen=True, tag="effect"):
    """The fault's own proof that it acts."""

    node: str
    status: Status
    evidence: str
    struck_at_s: float | None = None
    """When a blow that needed time before it fell, has fallen; None: it falls with the injection."""


class ExpectationJudged(Event, frozen=True, tag="expectation"):
    """An expectation was met or missed, or cannot be told."""

    id: str
    status: Status
    observed: str
    after_s: float | None = None
    """When it was met, in seconds after its starting point."""
    error_s: float | None = None
    attested: bool = False
    data_lost: bool = False
    """What a database had acknowledged is gone or damaged."""
    by: str = ""
    """Who attested it."""


class RecoveryMeasured(Event, frozen=True, tag="recovery"):
    """How long the target was gone, from its death to the first good answer of a stable window."""

    seconds: float
    error_s: float
    breakdown: dict[str, float] = {}
    """Part -> seconds, like {"exit to scheduled": 0.0, "scheduled to started": 2.0, "started to healthy": 0.4}."""
    how: str = ""


class Reverting(Event, frozen=True, tag="reverting"):
    """The fault is being taken back on a node."""

    node: str
    why: str
    limit_s: float


class Reverted(Event, frozen=True, tag="reverted"):
    """The revert ended; whether it worked is told by CleanJudged."""

    node: str
    status: Status
    evidence: str


class CleanJudged(Event, frozen=True, tag="clean"):
    """The fault's own proof that no trace of it is left."""

    node: str
    status: Status
    evidence: str


class Released(Event, frozen=True, tag="released"):
    """The guard is gone and the node is free."""

    node: str


class RestoredByConsole(Event, frozen=True, tag="restored"):
    """After the verdict the console started what had not come back by itself."""

    node: str
    service: str
    status: Status
    evidence: str


class LinkChanged(Event, frozen=True, tag="link"):
    """A node became reachable or unreachable."""

    node: str
    up: bool
    why: str = ""


class NodeBooted(Event, frozen=True, tag="booted"):
    """A node came up again after a reboot that the run has made; its times are in seconds.

    `..._after_s` count from inject on the console's clock, `marks` from the node's own beginning of userspace.
    """

    node: str
    gone_after_s: float | None
    back_after_s: float | None
    error_s: float
    """How far `back_after_s` may be off."""
    marks: dict[str, float] = {}
    """What became active -> when, in that order: services, sshd, `boot complete`."""
    missing: tuple[str, ...] = ()
    """Services that were not active when the boot was told."""
    power_on: str = ""
    """What became of the command that switched it on, and when; empty: it came by itself."""


class Sampled(Event, frozen=True, tag="sample"):
    """Numbers seen on a node in one tick; a name that is missing was not seen.

    Names: cpu_pct, load_1m, memory_used_bytes, memory_total_bytes, swap_used_bytes, swap_total_bytes (0: no swap),
    disk_used_bytes:MOUNT, disk_total_bytes:MOUNT, restarts:SERVICE, connections:DATABASE, connections_max:DATABASE,
    lease_left_s, answers:STEADY_STATE (1: it answers as it should, 0: it does not), acknowledged:STORE and
    refused:STORE (records a second that are written to it; one that got no answer is among the refused).
    """

    node: str
    values: dict[str, float]
    states: dict[str, str] = {}
    """Service -> `active (running)` and the like."""


class Noted(Event, frozen=True, tag="note"):
    """The operator's timestamped remark."""

    text: str
    by: str


class Found(Event, frozen=True, tag="finding"):
    """Something that the machine holds for worth writing down, like a fault that ended early."""

    text: str


class AbortRequested(Event, frozen=True, tag="abort"):
    """The operator, or what stands for them, wants the fault taken back now."""

    by: str
    why: str


class Failed(Event, frozen=True, tag="error"):
    """Something went wrong in the console or on a node; the run goes to revert."""

    where: str
    what: str


class Concluded(Event, frozen=True, tag="concluded"):
    """The machine's proposal."""

    outcome: Outcome
    reason: Reason
    sentence: str


class Signed(Event, frozen=True, tag="signed"):
    """The operator's PASS or FAIL, with the note that a contradiction needs."""

    verdict: Literal["PASS", "FAIL"]
    by: str
    note: str = ""


class WrittenUp(Event, frozen=True, tag="written-up"):
    """The write-up lies in the local outbox, fsync'd."""

    hash: str


class DeliveryTried(Event, frozen=True, tag="delivery"):
    """Thermal memory has the row (read back), or why it waits in the outbox."""

    hash: str
    delivered: bool
    why: str = ""


class Ended(Event, frozen=True, tag="ended"):
    """The last line of a complete journal."""


AnyEvent = (
    RunStarted
    | PhaseEntered
    | ItemChecked
    | ItemOverridden
    | ApprovalSeen
    | ApprovalSettled
    | Confirmed
    | Arming
    | Armed
    | SteadyStateJudged
    | Injecting
    | Injected
    | Detached
    | EffectJudged
    | ExpectationJudged
    | RecoveryMeasured
    | Reverting
    | Reverted
    | CleanJudged
    | Released
    | RestoredByConsole
    | LinkChanged
    | NodeBooted
    | Sampled
    | Noted
    | Found
    | AbortRequested
    | Failed
    | Concluded
    | Signed
    | WrittenUp
    | DeliveryTried
    | Ended
)


def is_decision(event: AnyEvent) -> bool:
    """Whether the event must be on the disk before anyone acts on it; samples need not."""
    return not isinstance(event, Sampled)
