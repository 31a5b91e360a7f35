"""Open connections to a PostgreSQL database and hold them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from console.faults.base import Fault, Scripts, Target
from console.terms import Risk


class ConnectionFlood(Fault, frozen=True, tag="connection-flood"):
    """Open connections to a PostgreSQL database and hold them."""

    risk_floor: ClassVar[Risk] = Risk.MEDIUM
    sustained: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("psql",)
    needs_database: ClassVar[bool] = True

    connections: Annotated[int, msgspec.Meta(ge=1, le=5000)] | Literal["limit"] = 50
    """How many to open; `limit`: until the database refuses."""
    hold_s: Annotated[float, msgspec.Meta(ge=1, le=600)] = 30.0
    """For how long they are held, in seconds."""

    @property
    def lasts_s(self) -> float:
        return self.hold_s

    def blast_radius(self, target: Target) -> str:
        return "to be written"

    def scripts(self, target: Target) -> Scripts:
        return Scripts(inject="set -eu\n", effect="set -eu\n", revert="set -eu\n", clean="set -eu\n")
