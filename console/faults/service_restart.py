"""Restart services one by one."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from console.faults.base import Fault, Scripts, Target
from console.terms import Risk


class ServiceRestart(Fault, frozen=True, tag="service-restart"):
    """Restart services one by one."""

    risk_floor: ClassVar[Risk] = Risk.LOW
    sustained: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("systemctl",)
    needs_units: ClassVar[bool] = True

    pause_s: Annotated[float, msgspec.Meta(ge=0, le=300)] = 5.0
    """The pause between two restarts, in seconds."""

    def blast_radius(self, target: Target) -> str:
        return "to be written"

    def scripts(self, target: Target) -> Scripts:
        return Scripts(inject="set -eu\n", effect="set -eu\n", revert="set -eu\n", clean="set -eu\n")
