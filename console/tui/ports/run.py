"""A run that can be looked at, and one that this console leads, up to its write-up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

from console.plan.plan import Plan
from console.run.pass_rate import Progress
from console.state import RunState
from console.terms import Status

Changed = Callable[[], None]
"""Called on the event loop, as often as one likes: the screens paint at most twice a second."""
Verdict = Literal["PASS", "FAIL"]


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
