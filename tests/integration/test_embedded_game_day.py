"""The experiments that need a network, firewall or disk of a node's own, on the embedded lab: no root, nothing left."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest

from console.lab import embedded
from console.plan import library
from tests.approvals import approved
from tests.lab import Lab
from tests.trials import GRACE_S, LEASE_S, Console

EXPERIMENTS: dict[str, tuple[str, ...]] = {
    "network-partition": ("--set", "hold_s=8"),
    "disk-fill": ("--set", "hold_s=8"),
    "memory-pressure": ("--set", "hold_s=8"),
}
"""Scenarios that change something of a node that has to be as before afterwards, with what makes them short."""
STATE = """\
iptables -S; ip6tables -S; cut -d' ' -f4- /proc/self/mountinfo
df -kP /tmp /run | tr -s ' ' | cut -d' ' -f3,6; ls -A /tmp
"""


def impatient(lab: Lab, scenario: str) -> str:
    """The shipped scenario, which waits for 2 s to call something stable."""
    file = lab.root / f"{scenario}-impatient.yaml"
    text = re.sub(r"stable_for_s: \d+", "stable_for_s: 2", library.find(scenario, None).read_text())
    file.write_text(re.sub(r"(?m)^runbook: .*\n", "", text))
    return str(file)


def short(lab: Lab, scenario: str) -> list[str]:
    """A short run of it, approved, as `run` takes it."""
    return approved(lab, impatient(lab, scenario), *EXPERIMENTS[scenario])


def state(lab: Lab) -> dict[str, str]:
    """What a fault could have left on the nodes."""
    return {node: lab.ssh(node, STATE) for node in lab.inventory.nodes}


@pytest.mark.parametrize("scenario", EXPERIMENTS)
def test_it_passes_and_leaves_every_node_as_it_was(lab: Lab, scenario: str) -> None:
    before = state(lab)
    done = lab.run(*short(lab, scenario))
    assert done.code == 0, str(done)
    result = done.result
    assert (result["outcome"], result["effect_proven"], result["revert_proven"]) == ("passed", True, True)
    judged = [told for told in result["expectations"] if told["observed"] != "no Alertmanager is configured"]
    assert {told["outcome"] for told in judged} == {"pass"}, str(judged)
    assert state(lab) == before
    assert lab.marked() == []
    assert lab.inside("sweep").out.count("clean") == 3


@pytest.mark.parametrize("scenario", EXPERIMENTS)
def test_it_is_gone_within_the_lease_and_a_second_when_the_console_is_killed(lab: Lab, scenario: str) -> None:
    before = state(lab)
    console = Console(lab.start("run", *short(lab, scenario), "--attest", "all", "--json"))
    reader = threading.Thread(target=console.read, daemon=True)
    reader.start()
    try:
        assert console.reaches("observe", 60.0), console.lines[-5:]
        assert scenario == "memory-pressure" or state(lab) != before
    finally:
        console.process.kill()
        console.process.wait()
        reader.join(10.0)
        console.close()
    assert lab.wait_until(lambda: not lab.marked() and state(lab) == before, LEASE_S + GRACE_S), state(lab)
    assert lab.inside("sweep").out.count("clean") == 3


def test_where_the_nodes_share_the_machine_the_firewall_is_told_as_missing_and_nothing_is_cut(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    embedded.up(lab.dir, lease_s=LEASE_S, lifeline=True, shared=True)
    try:
        done = lab.run(*short(lab, "network-partition"))
        assert (done.code, done.result["outcome"], done.result["reason"]) == (3, "not-run", "refused"), str(done)
        assert "firewall" in done.out
        assert "this node has no firewall of its own: asked for with --shared" in done.out
        told = lab.inside("doctor").out
        assert "this node has no firewall of its own" in told
    finally:
        embedded.down(lab.dir)
