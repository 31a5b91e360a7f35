"""The runs on this machine: each in a folder of its own, claimed once, alive as long as its console is."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import msgspec

from console.errors import BadInput, Refused, near_match
from console.events import DeliveryTried
from console.plan.strict import NAME
from console.record import journal
from console.record.home import fsync_folder, private_folder, state_home
from console.record.outbox import Outbox
from console.state import RunState, fold_all, presumed_outcome

ALIVE = "alive"
"""The file that the run's console holds locked for life: the kernel lets go of it however the console dies."""
PLAN = "plan.json"

_held: dict[Path, int] = {}


class RunSummary(msgspec.Struct, frozen=True):
    """A run in one line."""

    run: str
    scenario: str
    title: str
    risk: str
    operator: str
    started_at_s: float | None
    outcome: str
    """As in terms.Outcome, or `running`."""
    reason: str
    """As in terms.Reason; `interrupted` where the journal breaks off and its console is dead."""
    sentence: str
    live: bool
    """Whether the run's console is still there."""
    signed: str
    """`PASS`, `FAIL`, or "" where nobody signed."""
    hash: str
    delivered: bool
    complaint: str
    """What of its journal could not be read, or ""."""

    @property
    def verdict(self) -> str:
        """Outcome and reason in one word or two, like `failed: expectation` or `interrupted`."""
        if self.reason == "interrupted":
            return self.reason
        return f"{self.outcome}: {self.reason}" if self.reason else self.outcome


def runs_home() -> Path:
    """The folder of all runs, made where it is not there yet.

    Raises:
        BadInput: it cannot be made.
    """
    return private_folder(private_folder(state_home()) / "runs")


def outbox_home() -> Path:
    """The folder of the write-ups that wait for the database, made where it is not there yet.

    Raises:
        BadInput: it cannot be made.
    """
    return private_folder(private_folder(state_home()) / "outbox")


def claim(run: str) -> Path:
    """Make the run's folder and hold it as alive until this process ends or `let_go` is called.

    Raises:
        Refused: the run was claimed before: a plan runs at most once.
        BadInput: the folder cannot be made.
    """
    if not NAME.fullmatch(run):
        raise BadInput(f"{run[:40]!r} is no run id")
    home = runs_home()
    folder = home / run
    try:
        folder.mkdir(mode=0o700)
        fd = os.open(folder / ALIVE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        fsync_folder(home)
    except FileExistsError:
        raise Refused(f"run {run} was started before: a plan runs at most once, make a new one") from None
    except OSError as error:
        raise BadInput(f"the run's folder cannot be made: {error.strerror}", file=folder) from error
    _held[folder] = fd
    return folder


def hold(folder: Path) -> None:
    """Hold a run whose console is dead as alive, until this process ends or `let_go` is called.

    Raises:
        Refused: its console is still there.
        BadInput: its folder cannot be used.
    """
    fd = -1
    try:
        fd = os.open(folder / ALIVE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise Refused(f"the console of run {folder.name} is still there: sign it there, or end that console") from None
    except OSError as error:
        if fd >= 0:
            os.close(fd)
        raise BadInput(f"the run cannot be held: {error.strerror}", file=folder) from error
    _held[folder] = fd


def let_go(folder: Path) -> None:
    """The run is over while this process lives on."""
    fd = _held.pop(folder, None)
    if fd is not None:
        os.close(fd)


def alive(folder: Path) -> bool:
    """Whether the run's console process still lives."""
    try:
        fd = os.open(folder / ALIVE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def find(run_or_prefix: str) -> Path:
    """The folder of the run that is called so, or whose id begins so.

    Raises:
        BadInput: there is none, or more than one.
    """
    names = _names()
    if run_or_prefix in names:
        return runs_home() / run_or_prefix
    fitting = [name for name in names if run_or_prefix and name.startswith(run_or_prefix)]
    if len(fitting) == 1:
        return runs_home() / fitting[0]
    if fitting:
        raise BadInput(f"'{run_or_prefix}' fits {len(fitting)} runs: {', '.join(fitting[:5])}")
    raise BadInput(f"there is no run '{run_or_prefix}' in {runs_home()}{near_match(run_or_prefix, names)}")


def load(folder: Path) -> tuple[RunState, str]:
    """The run's state now, from its journal and the outbox, and a complaint about what could not be read, or "".

    Raises:
        JournalError: there is no journal.
    """
    events, complaint = journal.read(folder / journal.FILE)
    return _delivered_since(fold_all(events)), complaint


def summary(folder: Path) -> RunSummary:
    """The run in one line; a journal that cannot be read shows as such, it is not hidden."""
    live = alive(folder)
    try:
        events, complaint = journal.read(folder / journal.FILE, samples=False)
    except journal.JournalError as error:
        events, complaint = [], str(error)
    state = _delivered_since(fold_all(events))
    outcome, reason = presumed_outcome(state)
    running = live and state.conclusion is None
    started = state.started
    return RunSummary(
        run=folder.name,
        scenario=started.scenario if started else "?",
        title=started.title if started else "?",
        risk=started.risk if started else "?",
        operator=started.operator if started else "?",
        started_at_s=started.at_s if started else None,
        outcome="running" if running else outcome.value,
        reason="" if running else reason.value,
        sentence=state.conclusion.sentence if state.conclusion else "",
        live=live,
        signed=state.signed.verdict if state.signed else "",
        hash=state.hash,
        delivered=bool(state.delivery and state.delivery.delivered),
        complaint=complaint,
    )


def all_runs() -> list[RunSummary]:
    """Every run of this machine, the newest first."""
    found = [summary(runs_home() / name) for name in _names()]
    return sorted(found, key=lambda run: (run.started_at_s or 0.0, run.run), reverse=True)


def _delivered_since(state: RunState) -> RunState:
    """A write-up leaves the outbox only once it was read back, by whichever console: then it was delivered."""
    told = state.delivery is not None and state.delivery.delivered
    if told or not state.hash or Outbox(outbox_home()).holds(state.hash):
        return state
    later = DeliveryTried(at_s=state.now_s, hash=state.hash, delivered=True)
    return msgspec.structs.replace(state, delivery=later)


def _names() -> list[str]:
    home = runs_home()
    return sorted(entry.name for entry in home.iterdir() if NAME.fullmatch(entry.name) and entry.is_dir())
