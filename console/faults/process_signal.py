"""Signal the process behind a service, and see whether it comes back by itself."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from console.faults.base import Fault, Scripts, Target
from console.terms import Risk


class ProcessSignal(Fault, frozen=True, tag="process-signal"):
    """Signal the process behind a service, and see whether it comes back by itself."""

    risk_floor: ClassVar[Risk] = Risk.LOW
    sustained: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("systemctl", "kill",)
    needs_units: ClassVar[bool] = True
    needs_process: ClassVar[bool] = True

    signal: Literal["TERM", "KILL"] = "TERM"

    def blast_radius(self, target: Target) -> str:
        return "to be written"

    def scripts(self, target: Target) -> Scripts:
        return Scripts(inject="set -eu\n", effect="set -eu\n", revert="set -eu\n", clean="set -eu\n")
