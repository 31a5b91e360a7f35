"""A revert that hangs: its node stays locked, the run is unsafe, and it is said what to type. (As root on Linux.)"""

from __future__ import annotations

import threading

import pytest

from tests.approvals import approved
from tests.residue import residue
from tests.systemd_lab import SystemdLab
from tests.trials import LEASE_S, Console

FIX = "gameday sweep --revert"


@pytest.mark.timeout(240)
def test_a_disk_that_stands_still_keeps_its_node_locked_until_it_is_swept(systemd_lab: SystemdLab) -> None:
    lab = systemd_lab
    before = residue(lab, "redfin")
    words = approved(lab, "disk-fill", "--set", "size=50MB", "--set", "hold_s=5")
    console = Console(lab.start("run", *words, "--attest", "all", "--json"))
    reader = threading.Thread(target=console.read, daemon=True)
    reader.start()
    try:
        assert console.reaches("observe", 60.0), console.lines[-5:]
        lab.on("redfin", "fsfreeze", "--freeze", "/tmp")
        try:
            assert console.process.wait(120.0) == 5, console.lines[-3:]
            reader.join(10.0)
            assert console.outcome == "unsafe"
            (concluded,) = [line for line in console.lines if '"concluded"' in line]
            assert "revert-not-proven" in concluded
            assert FIX in concluded
            assert lab.wait_until(lambda: lab.inside("sweep").code == 5, LEASE_S + 10.0, 1.0), lab.inside("sweep").out
            swept = lab.inside("sweep")
            assert f"✗ redfin: held by run {console.run}" in swept.out, swept.out
            refused = lab.run("llm-gateway-kill")
            assert (refused.code, refused.result["outcome"]) == (3, "not-run"), str(refused)
            assert refused.result["reason"] in ("busy", "leftovers"), str(refused)
            assert console.run in refused.out
        finally:
            lab.on("redfin", "fsfreeze", "--unfreeze", "/tmp")
    finally:
        console.process.kill()
        console.process.wait()
        reader.join(10.0)
        console.close()
    # What stood still in the kernel goes on; its guard may try once more by itself.
    assert lab.wait_until(lambda: lab.inside("sweep", "--revert").code == 0, 60.0, 2.0), lab.inside("sweep").out
    assert residue(lab, "redfin").beyond(before) == []
    assert lab.inside("sweep").out.count("clean") == 3
