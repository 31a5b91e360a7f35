"""What the kernel keeps of a killed systemd lab: empty control groups, for a moment its cable."""

from __future__ import annotations

from console.lab.systemd.hardware import HARDWARE
from console.lab.systemd.memory import Groups
from console.lab.systemd.network import unplug


def clear_kernel(lab_id: str) -> None:
    """Remove it; nothing to do for a lab of another kind.

    Raises:
        GamedayError: a machine of the lab lives on.
    """
    for machine in HARDWARE:
        Groups.of(lab_id, machine).remove()
    unplug(lab_id)
