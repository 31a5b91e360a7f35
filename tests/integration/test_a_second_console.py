"""Two consoles on the same real machines: the node itself refuses the second, and the first is unharmed. (Root.)"""

from __future__ import annotations

import copy
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.approvals import approved
from tests.hurry import begun, ended, hurried, observed, observing, sentence, verdict
from tests.integration.test_it_does_not_lie import gateway_kill, quiet, rules
from tests.lab import Done
from tests.residue import residue
from tests.systemd_lab import SystemdLab

BUSY = (3, "not-run", "busy")
TOGETHER = """\
import asyncio, os, pathlib
from console.cli import main
from console.run.experiment import Experiment

arm, line = Experiment._arm, pathlib.Path(os.environ["START_LINE"])

async def together(self):
    (line / str(os.getpid())).touch()
    while len(list(line.iterdir())) < 2:
        await asyncio.sleep(0.01)
    await arm(self)

Experiment._arm = together
main()
"""
"""The console, which having found nothing in its way waits until another one stands there too."""


def elsewhere(lab: SystemdLab) -> SystemdLab:
    """The lab as a console on another operator's machine sees it: it knows nothing of the first one's runs."""
    other = copy.copy(lab)
    other.state = lab.root / "other-state"
    return other


@pytest.mark.timeout(180)
def test_a_held_node_refuses_all_others_and_its_run_passes(systemd_lab: SystemdLab) -> None:
    lab, other = systemd_lab, elsewhere(systemd_lab)
    assert quiet(lab)
    before = {node: residue(lab, node) for node in lab.inventory.nodes}
    partition = hurried(lab, "network-partition", hold_s=18, stable_for_s=4, within_s=(60, 30))
    same, second = approved(lab, partition), approved(other, partition)
    with begun(lab, *same) as console:
        observing(console)
        held = f"held by run {console.run}, operator operator@lab, lease [0-3] s"
        with begun(other, *second) as same_fault, begun(other, gateway_kill(other)) as another:
            both = [ended(same_fault), ended(another)]
        for refused in both:
            assert verdict(refused) == BUSY, str(refused)
            assert re.search(f"(greenfin|redfin) is {held}", sentence(refused)), sentence(refused)
        swept = other.inside("sweep", "--revert")
        assert swept.code == 0, str(swept)
        assert re.search(f"● greenfin: {held}\n", swept.out), swept.out
        assert re.search(f"● redfin: {held}\n", swept.out), swept.out
        assert "bluefin: clean" in swept.out
        assert "GAMEDAY" in rules(lab)
        done = ended(console)
    assert verdict(done) == (0, "passed", ""), str(done)
    assert set(observed(done).values()) == {"pass"}
    assert (done.result["effect_proven"], done.result["revert_proven"]) == (True, True)
    assert done.result["thermal"]["delivered"] is True
    assert {told["guard"] for told in done.events if told["event"] == "armed"} == {"systemd"}
    left = {node: residue(lab, node).beyond(before[node]) for node in before}
    assert not any(left.values()), left


def test_of_two_that_find_the_node_free_exactly_one_gets_it(systemd_lab: SystemdLab, tmp_path: Path) -> None:
    lab = systemd_lab
    scenario = gateway_kill(lab)
    lab.on("redfin", "systemctl", "reset-failed", "llm-gateway")
    consoles = [
        subprocess.Popen(
            [sys.executable, "-c", TOGETHER, "run", scenario, "--attest", "all", "--json"],
            env=one.env | {"START_LINE": str(tmp_path)}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        )
        for one in (lab, elsewhere(lab))
    ]  # fmt: skip
    told = [console.communicate(timeout=100) for console in consoles]
    one, two = sorted(
        (Done(console.returncode, *said) for console, said in zip(consoles, told, strict=True)), key=lambda d: d.code
    )
    assert verdict(one) == (0, "passed", ""), str(one)
    assert verdict(two) == BUSY, str(two)
    assert re.fullmatch(rf"redfin is held by run {one.result['run']}, operator \S+, lease [0-3] s", sentence(two)), (
        sentence(two)
    )
    injected = [[event for event in done.events if event["event"] == "injecting"] for done in (one, two)]
    assert [len(events) for events in injected] == [1, 0]
    assert len(os.listdir(tmp_path)) == 2
    assert lab.inside("sweep").out.count("clean") == 3
