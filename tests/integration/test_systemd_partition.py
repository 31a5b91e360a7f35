"""A3 and A9 for real on the systemd lab: effect and revert proven, and nothing of them is left. (As root on Linux.)"""

from __future__ import annotations

import pytest

from tests.approvals import approved
from tests.systemd_lab import SystemdLab


def residue(lab: SystemdLab) -> list[str]:
    """Rules, failed units and marked processes on greenfin."""
    rules = lab.on("greenfin", "sh", "-c", "iptables-save; ip6tables-save").splitlines()
    failed = lab.on("greenfin", "systemctl", "--failed", "--plain", "--no-legend").splitlines()
    marked = lab.on("greenfin", "sh", "-c", "grep -lz ^GAMEDAY_FAULT= /proc/[0-9]*/environ 2>/dev/null || :")
    return [line for line in rules if line.startswith("-A") or "GAMEDAY" in line] + failed + marked.splitlines()


@pytest.mark.parametrize(
    ("scenario", "settings"), [("network-partition", ("hold_s=46",)), ("cpu-pressure", ("hold_s=26",))]
)
def test_it_passes_and_leaves_nothing(systemd_lab: SystemdLab, scenario: str, settings: tuple[str, ...]) -> None:
    lab = systemd_lab
    before = residue(lab)
    words = approved(lab, scenario, *(word for each in settings for word in ("--set", each)))
    done = lab.run(*words, limit_s=170.0)
    assert done.code == 0, str(done)
    assert (done.result["outcome"], done.result["effect_proven"], done.result["revert_proven"]) == (
        "passed",
        True,
        True,
    )
    assert residue(lab) == before
