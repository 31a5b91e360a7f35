"""What a run says beforehand of an item: its name, its limit, whether it counts. Its first event carries these."""

from __future__ import annotations

from typing import Literal

import msgspec


class ItemBrief(msgspec.Struct, frozen=True):
    """A checklist item, an expectation or a steady-state probe, as the screens list it."""

    id: str
    title: str
    within_s: float = 0.0
    """The limit, in seconds after the injection (or after the revert, see `after`); 0: none."""
    stable_for_s: float = 0.0
    after: Literal["inject", "revert"] = "inject"
    required: bool = True
    automatic: bool = True
    """For checklist items: the console verifies it; otherwise a person ticks it."""
    alert: str = ""
    """The alert that an expectation is about, as Prometheus writes it; empty: it is about none."""
    alert_is: Literal["", "fired", "cleared"] = ""
    """What is expected of the alert."""
