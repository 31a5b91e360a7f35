"""Fault modes by hand: what acts, and the commands of the chaos panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from console.chaos.wish import Wish
from console.modes import Acting, Aim, Outlook
from console.tui.ports.run import RunHandle


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
