"""What the screens need from the session, as Protocols. The session knows nothing of them; it only has these shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from console.chaos.wish import Wish
from console.events import AnyEvent
from console.modes import Acting, Aim, Outlook
from console.plan.inventory import Inventory, Node
from console.plan.plan import Plan
from console.plan.scenario import Scenario
from console.plot.series import Point
from console.run.pass_rate import Progress
from console.state import RunState
from console.terms import Outcome, Reason, Status

Changed = Callable[[], None]
"""Called on the event loop, as often as one likes: the screens paint at most twice a second."""
Verdict = Literal["PASS", "FAIL"]


class ServiceSample(Protocol):
    """A service as the node's service manager sees it."""

    @property
    def active(self) -> str: ...  # noqa: D102
    @property
    def restarts(self) -> int | None: ...  # noqa: D102


class NodeSample(Protocol):
    """The newest numbers of a node; None or a missing key: not seen."""

    @property
    def at_s(self) -> float: ...  # noqa: D102
    @property
    def cpu_pct(self) -> float | None: ...  # noqa: D102
    @property
    def memory_used_bytes(self) -> int | None: ...  # noqa: D102
    @property
    def memory_total_bytes(self) -> int | None: ...  # noqa: D102
    @property
    def disks(self) -> Mapping[str, tuple[int, int]]:
        """Mount point -> used and total bytes."""
        ...

    @property
    def services(self) -> Mapping[str, ServiceSample]:
        """By the inventory's name of the service."""
        ...


class NodeView(Protocol):
    """A node as it is known now."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def spec(self) -> Node: ...  # noqa: D102
    @property
    def up(self) -> bool: ...  # noqa: D102
    @property
    def why(self) -> str:
        """Why it is down; empty while it is up."""
        ...

    @property
    def seen_at_s(self) -> float | None:
        """When anything was last heard of it, on the console's clock."""
        ...

    @property
    def sample(self) -> NodeSample | None: ...  # noqa: D102
    @property
    def history(self) -> Mapping[str, Sequence[Point]]:
        """`cpu_pct`, `memory_used_pct`, `connections` -> points, a few minutes of them."""
        ...

    @property
    def connections(self) -> tuple[int, int] | None:
        """Database connections now and the most that there can be; None: no database there, or not seen."""
        ...

    @property
    def connections_at_s(self) -> float | None: ...  # noqa: D102
    @property
    def trace(self) -> str:
        """`held by run X, operator Y` or what a run left over; empty: nothing."""
        ...

    @property
    def lease_left_s(self) -> float | None: ...  # noqa: D102

    def lease_left_at(self, now_s: float) -> float | None: ...  # noqa: D102


class Readiness(Protocol):
    """A node before an experiment."""

    @property
    def status(self) -> Status:
        """Pass: ready; fail: it lacks something; unknown: it has not said."""
        ...

    @property
    def sentence(self) -> str:
        """Like `lacks iptables on greenfin (apt install iptables)` or `greenfin: ready`."""
        ...


class ExperimentView(Protocol):
    """An experiment in the list."""

    @property
    def scenario(self) -> Scenario: ...  # noqa: D102
    @property
    def problem(self) -> str:
        """Why it cannot run here, in a sentence; empty: nothing is known that stands in its way."""
        ...

    @property
    def needs(self) -> Sequence[Readiness]:
        """For each node of its plan, whether that has what the faults need."""
        ...

    @property
    def approval(self) -> str:
        """`none`, `1 tpm`, `3 council`."""
        ...

    @property
    def last(self) -> str:
        """The last verdict in words; empty: never run."""
        ...

    @property
    def runbook(self) -> str:
        """The runbook's Markdown; empty: there is none."""
        ...


class RunSummary(Protocol):
    """A past run in the history."""

    @property
    def run(self) -> str: ...  # noqa: D102
    @property
    def scenario(self) -> str: ...  # noqa: D102
    @property
    def started_s(self) -> float: ...  # noqa: D102
    @property
    def operator(self) -> str: ...  # noqa: D102
    @property
    def outcome(self) -> Outcome: ...  # noqa: D102
    @property
    def reason(self) -> Reason: ...  # noqa: D102
    @property
    def verdict(self) -> str:
        """`PASS`, `FAIL` or empty: nobody signed."""
        ...

    @property
    def delivered(self) -> bool:
        """Whether thermal memory has its row."""
        ...


class Recording(Protocol):
    """A journal that was read."""

    @property
    def events(self) -> Sequence[AnyEvent]: ...  # noqa: D102
    @property
    def complaint(self) -> str:
        """A torn last line, in words; empty: none."""
        ...


class Blocker(Protocol):
    """One reason why nothing launches."""

    @property
    def what(self) -> str: ...  # noqa: D102
    @property
    def fix(self) -> str: ...  # noqa: D102
    @property
    def recheck(self) -> str:
        """What `RunHandle.recheck` takes to look again."""
        ...


class Draft(Protocol):
    """What the machine proposes to be written up."""

    @property
    def verdict(self) -> Verdict: ...  # noqa: D102
    @property
    def evidence(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def issues(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def gaps(self) -> Sequence[str]: ...  # noqa: D102


class Row(Protocol):
    """The row for thermal memory, exactly as it will be stored."""

    @property
    def hash(self) -> str: ...  # noqa: D102
    @property
    def content(self) -> str: ...  # noqa: D102
    @property
    def stage(self) -> str: ...  # noqa: D102
    @property
    def temperature(self) -> float: ...  # noqa: D102
    @property
    def sacred(self) -> bool: ...  # noqa: D102


class RunView(Protocol):
    """A run that can be looked at, live or past."""

    @property
    def state(self) -> RunState: ...  # noqa: D102

    def subscribe(self, callback: Changed) -> Callable[[], None]:
        """Hear of changes until the returned function is called."""
        ...


class RunHandle(RunView, Protocol):
    """A run that this console leads. The commands raise GamedayError with a sentence for the operator."""

    @property
    def plan(self) -> Plan: ...  # noqa: D102
    @property
    def guards(self) -> Mapping[str, float | None]:
        """Armed node -> seconds left on its lease."""
        ...

    @property
    def problem(self) -> str:
        """Why the run broke down, where it did; empty otherwise."""
        ...

    @property
    def over(self) -> bool:
        """Whether nothing more comes of it; of several trials, whether none is begun or written up any more."""
        ...

    @property
    def progress(self) -> Progress | None:
        """How far the trials are of which this is one; None: the plan is run once."""
        ...

    @property
    def launch_word(self) -> str:
        """What the operator types to launch: the name of the node that is hit."""
        ...

    async def recheck(self, item: str | None) -> None:
        """Verify an automatic item (or a blocker) again; None: all."""
        ...

    async def tick(self, item: str, note: str, status: Status) -> None:
        """A person's word on a pre- or post-test item."""
        ...

    async def attest(self, expectation: str, note: str, status: Status) -> None:
        """A person's word on an expectation that is not required and could not be seen."""
        ...

    async def override(self, item: str, reason: str) -> None:
        """Go on without this item; low risk only."""
        ...

    async def accept_approval(self, text: str) -> None:
        """Judge a pasted approval."""
        ...

    def approve_line(self) -> str:
        """The command line that an approver pastes."""
        ...

    @property
    def inbox(self) -> str:
        """The folder that is watched for approvals; empty: none."""
        ...

    def approvers(self) -> Sequence[str]:
        """The principals who may sign."""
        ...

    def hand_reverts(self) -> Mapping[str, str]:
        """Node -> the one command that reverts there by hand."""
        ...

    def can_launch(self) -> Sequence[Blocker]:
        """All that stands in the way; empty: nothing."""
        ...

    async def launch(self, typed: str) -> None:
        """Confirm and go. Returns when the runner goes on by itself."""
        ...

    def abort_preview(self) -> Sequence[str]:
        """What an abort takes back now, and in how long at most; a sentence a line."""
        ...

    async def abort(self, why: str) -> None:
        """Take the fault back now. Asking twice is the same as asking once."""
        ...

    async def note(self, words: str) -> None:
        """The operator's remark, stamped now."""
        ...

    def writeup_draft(self) -> Draft:
        """What the machine proposes."""
        ...

    def writeup_row(self, verdict: Verdict, note: str, issues: Sequence[str], gaps: Sequence[str]) -> Row:
        """The row that `sign` with these would store."""
        ...

    async def sign(self, verdict: Verdict, note: str, issues: Sequence[str], gaps: Sequence[str]) -> None:
        """Sign, store in the outbox, try to deliver."""
        ...


class Modes(Protocol):
    """Fault modes by hand. The commands raise GamedayError with a sentence for the operator."""

    @property
    def acting(self) -> Mapping[str, Acting]:
        """Node -> the mode that acts there, as of the last look."""
        ...

    @property
    def ended(self) -> Mapping[str, Acting]:
        """Node -> the last numbers of a mode that acts no more."""
        ...

    @property
    def unseen(self) -> Mapping[str, str]:
        """Node -> why nothing is known of it."""
        ...

    def aims(self) -> Sequence[Aim]:
        """Every service, with the reason where none may act on it."""
        ...

    async def outlook(self, wish: Wish) -> Outlook:
        """What would make it, and the nearest rate; nothing is changed."""
        ...

    async def prepare(self, wish: Wish) -> RunHandle:
        """Begin its run, up to the launch."""
        ...

    async def look(self) -> None:
        """Ask every node which mode acts there, and its numbers."""
        ...

    async def set_rate(self, node: str, pct: float) -> None:
        """Give the mode that acts there another rate."""
        ...

    async def reset(self, node: str) -> str:
        """End the mode that acts there; says what came of it."""
        ...

    def is_led(self, node: str) -> bool:
        """Whether the mode that acts there is this console's own run."""
        ...


class Session(Protocol):
    """The watched fleet, the experiments and the runs."""

    @property
    def inventory(self) -> Inventory: ...  # noqa: D102
    @property
    def read_only(self) -> bool: ...  # noqa: D102
    @property
    def fleet(self) -> Mapping[str, NodeView]: ...  # noqa: D102
    @property
    def outbox_count(self) -> int: ...  # noqa: D102
    @property
    def modes(self) -> Modes: ...  # noqa: D102
    @property
    def log(self) -> Sequence[str]:
        """What the session has to say, a sentence a line, the newest last."""
        ...

    @property
    def copy_file(self) -> Path:
        """Where copied text is also written: a terminal never says whether it took it."""
        ...

    def clock(self) -> float:
        """The console's clock, in seconds since the epoch."""
        ...

    def subscribe(self, callback: Changed) -> Callable[[], None]:
        """Hear of changes of the fleet until the returned function is called."""
        ...

    def experiments(self) -> Sequence[ExperimentView]: ...  # noqa: D102

    def preview(self, name: str, overrides: dict[str, str]) -> Plan:
        """The plan as it would be; nothing is claimed.

        Raises:
            GamedayError: why there is none.
        """
        ...

    async def prepare(self, name: str, overrides: dict[str, str]) -> RunHandle:
        """Begin a run at its checklist."""
        ...

    def runs(self) -> Sequence[RunSummary]:
        """Past runs, the newest first."""
        ...

    def load_run(self, run: str) -> Recording:
        """A past run's journal.

        Raises:
            GamedayError: it cannot be read.
        """
        ...
