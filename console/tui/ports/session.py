"""The session: the watched fleet, the experiments and the runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from console.plan.inventory import Inventory
from console.plan.plan import Plan
from console.tui.ports.experiment import ExperimentView
from console.tui.ports.history import Recording, RunSummary
from console.tui.ports.modes import Modes
from console.tui.ports.node import NodeView
from console.tui.ports.run import Changed, RunHandle


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
