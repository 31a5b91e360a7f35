"""Fault modes on machines with systemd: each shipped one passes, and leaves the machine as it was. (As root.)"""

from __future__ import annotations

from tests.residue import residue
from tests.store_runs import MODES, modes_passed, run
from tests.systemd_lab import SystemdLab


def test_each_mode_passes_and_leaves_nothing(systemd_lab: SystemdLab) -> None:
    before = residue(systemd_lab, "bluefin")
    modes_passed(*run(systemd_lab, *MODES, hold_s=6))
    assert residue(systemd_lab, "bluefin").beyond(before, "mounts", "failed", "marked", "kept", "units") == []
