"""A past run as something that can be looked at: its events up to a moment that can be moved."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

from console.events import AnyEvent
from console.state import RunState, fold_all
from console.tui.ports.run import Changed


class Replay:
    """The run as it was at `now_s`; it begins at its end."""

    def __init__(self, events: Sequence[AnyEvent]) -> None:
        self._events = sorted(events, key=lambda event: event.at_s)
        self._times = [event.at_s for event in self._events]
        self._folded = 0
        self.first_s = self._times[0] if self._times else 0.0
        self.last_s = self._times[-1] if self._times else 0.0
        self.now_s = self.last_s
        self.state = RunState()
        self.at_end = True
        self.move_to(self.last_s)

    def move_to(self, now_s: float) -> None:
        """Show the run as it was at that instant, within its own span."""
        self.now_s = min(max(now_s, self.first_s), self.last_s)
        self.at_end = self.now_s >= self.last_s
        wanted = bisect_right(self._times, self.now_s)
        if wanted < self._folded:
            self.state, self._folded = RunState(), 0
        self.state = fold_all(self._events[self._folded : wanted], self.state)
        self._folded = wanted

    def phase_starts(self) -> list[float]:
        """When each phase was entered, over the whole run."""
        return [at_s for _, at_s in fold_all(self._events).phases]

    def subscribe(self, callback: Changed) -> Callable[[], None]:
        """A past run never changes."""
        return lambda: None
