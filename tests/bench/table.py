"""A line of the bench's table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One figure of ours beside the alternative's, both in the same unit."""

    what: str
    ours: float
    alternative: str
    theirs: float
    unit: str
    target: str
    holds: bool

    def __str__(self) -> str:
        mark = "✓" if self.holds else "✗"
        ratio = self.ours / self.theirs if self.theirs else float("inf")
        return (
            f"{mark} {self.what}: {self.ours:.3g} {self.unit}; {self.alternative}: {self.theirs:.3g} {self.unit}; "
            f"ratio {ratio:.2f} (target: {self.target})"
        )
