"""Fault modes on machines with systemd: each shipped one passes, and leaves the machine as it was. (As root.)"""

from __future__ import annotations

import pytest

from tests.hurry import verdict
from tests.residue import residue
from tests.systemd_lab import SystemdLab

pytestmark = pytest.mark.development


@pytest.mark.parametrize("mode", ["disk-full", "memory-pressure", "network-fail", "slow-io"])
def test_each_mode_passes_and_leaves_nothing(systemd_lab: SystemdLab, mode: str) -> None:
    before = residue(systemd_lab, "bluefin")
    done = systemd_lab.run(f"chaos-{mode}", "--set", "hold_s=6")
    assert verdict(done) == (0, "passed", ""), str(done)
    assert residue(systemd_lab, "bluefin").beyond(before, "mounts", "failed", "marked", "kept", "units") == []
