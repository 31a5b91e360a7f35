"""A4 and A5 on the systemd lab's machines: the disk and the memory are really taken, and really back."""

from __future__ import annotations

import re

from tests.approvals import approved
from tests.hurry import hurried
from tests.lab import Done
from tests.systemd_lab import SystemdLab


def passed(lab: SystemdLab, scenario: str, *settings: str) -> Done:
    """A run of that scenario which was approved, and passed."""
    done = lab.run(*approved(lab, scenario, *settings))
    assert (done.code, done.result["outcome"]) == (0, "passed"), str(done)
    assert (done.result["effect_proven"], done.result["revert_proven"]) == (True, True)
    assert {item["outcome"] for item in done.result["expectations"]} == {"pass"}
    return done


def evidence(done: Done) -> str:
    """The last proof of the effect."""
    return str([event["evidence"] for event in done.events if event["event"] == "effect"][-1])


def test_a_disk_runs_full_to_its_reserve_and_is_as_before(systemd_lab: SystemdLab) -> None:
    before = systemd_lab.on("redfin", "sh", "-c", "find /tmp; df -kP /tmp /ganuda")
    done = passed(systemd_lab, hurried(systemd_lab, "disk-fill", hold_s=12, stable_for_s=4))
    told = re.fullmatch(r"/tmp: (\d+) % used, \d+ MB free, with \d+ MB of ours; before: \d+ % used, .*", evidence(done))
    assert told, evidence(done)
    assert 93 <= int(told[1]) <= 96
    warnings = [event["text"] for event in done.events if event["event"] == "finding"]
    assert warnings[0].startswith("redfin: warning: of 10240 MB only ")
    assert systemd_lab.on("redfin", "sh", "-c", "find /tmp; df -kP /tmp /ganuda") == before


def test_a_practice_nodes_never_paths_are_refused(systemd_lab: SystemdLab) -> None:
    done = systemd_lab.run("disk-fill", "--set", "path=/ganuda/../ganuda")
    assert (done.code, done.result["outcome"]) == (3, "not-run"), str(done)
    assert "redfin: /ganuda/../ganuda is in /ganuda, which is never touched" in done.out


def test_the_share_of_the_machines_own_memory_is_taken_and_given_back(systemd_lab: SystemdLab) -> None:
    done = passed(systemd_lab, hurried(systemd_lab, "memory-pressure", hold_s=9, stable_for_s=4))
    told = re.match(r"(\d+) MB of 716 MB held by ours; \d+ MB of 1024 MB are to be had", evidence(done))
    assert told, evidence(done)
    assert 706 <= int(told[1]) <= 740
    assert not [event for event in done.events if event["event"] == "finding"]
    assert systemd_lab.on("greenfin", "pgrep", "stress-ng", check=False) == ""


def test_holders_that_the_kernel_kills_end_the_fault_early_and_the_node_lives(systemd_lab: SystemdLab) -> None:
    words = approved(systemd_lab, "memory-pressure", "--set", "size=2GB", "--set", "allow_oom=true")
    done = systemd_lab.run(*words)
    assert (done.code, done.result["outcome"]) == (1, "failed"), str(done)
    assert done.result["revert_proven"] is True
    found = " ".join(event["text"] for event in done.events if event["event"] == "finding")
    assert "the kernel will kill for it, and ours first" in found
    assert "for want of memory" in found
    assert systemd_lab.on("greenfin", "systemctl", "is-active", "greenfin-heartbeat", "ssh").split() == ["active"] * 2
