"""A8 for real: a machine boots again, and what is said of it afterwards is true. (As root on Linux.)"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator

import pytest

from tests.hurry import sentence
from tests.lab import Done, Lab
from tests.systemd_lab import SystemdLab, systemd_lab_in

# Elsewhere a scenario without its own kernel is only refused: see the last test.
MACHINES = ["systemd"] if sys.platform == "linux" and os.geteuid() == 0 else []
machines = pytest.mark.parametrize("kind", MACHINES)


@pytest.fixture(scope="module")
def machines_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemdLab]:
    """Three machines, whose redfin is rebooted again and again."""
    with systemd_lab_in(tmp_path_factory.mktemp("reboots")) as lab:
        yield lab


def rebooted(lab: Lab, name: str, *settings: str) -> Done:
    """The run of a plan that the council has approved."""
    plan = lab.root / f"{name}.json"
    made = lab.gameday("plan", "node-reboot", *settings, "-o", str(plan))
    assert made.code == 0, str(made)
    words = []
    for number in (1, 2, 3):
        file = lab.root / f"{name}.{number}"
        key = lab.dir / "keys" / f"council-{number}"
        told = lab.gameday(
            "approve", str(plan), "--as", f"council-{number}@lab", "--key", str(key), "--yes", "-o", str(file)
        )
        assert told.code == 0, str(told)
        words += ["--approval", str(file)]
    return lab.gameday("run", str(plan), *words, "--attest", "all", "--json")


def left(lab: SystemdLab) -> str:
    """What of runs lies on redfin, in memory and on disk."""
    return lab.on("redfin", "sh", "-c", "ls /run/gameday /var/lib/gameday; systemctl list-units -q --all 'gameday*'")


@machines
def test_a_node_that_comes_back_with_everything_passes(machines_up: SystemdLab, kind: str) -> None:
    lab = machines_up
    before = lab.on("redfin", "cat", "/proc/sys/kernel/random/boot_id")
    # A machine is back within two seconds, before monitoring's own patience is over: what it is asked takes longer.
    with lab.unit("redfin", "prometheus-node-exporter.service", ExecStartPre="/bin/sleep 8"):
        done = rebooted(lab, "passed")
    assert done.code == 0, str(done)
    assert lab.on("redfin", "cat", "/proc/sys/kernel/random/boot_id") != before
    assert (done.result["effect_proven"], done.result["revert_proven"]) == (True, True)
    outcomes = {told["id"]: told["outcome"] for told in done.result["expectations"]}
    assert set(outcomes.values()) == {"pass"}
    (booted,) = [event for event in done.events if event["event"] == "booted"]
    assert {"sshd", "llm-gateway", "ganuda-heartbeat", "boot complete"} <= set(booted["marks"])
    assert booted["missing"] == []
    assert 0 < booted["gone_after_s"] < booted["back_after_s"]
    recovery = done.result["recovery"]
    assert abs(recovery["seconds"] - booted["back_after_s"]) < 10
    assert recovery["error_s"] > 0
    assert [event for event in done.events if event["event"] == "abort"] == []
    assert left(lab).split() == ["/run/gameday:", "/var/lib/gameday:"]


@machines
def test_a_node_that_is_switched_off_is_switched_on_again_and_passes(machines_up: SystemdLab, kind: str) -> None:
    lab = machines_up
    done = rebooted(lab, "off", "--set", "how=poweroff", "--set", "off_s=4", "--set", "observe_s=30")
    assert done.code == 0, str(done)
    (booted,) = [event for event in done.events if event["event"] == "booted"]
    assert booted["back_after_s"] - booted["gone_after_s"] > 4
    found = [event["text"] for event in done.events if event["event"] == "finding"]
    assert any(re.fullmatch(r"power_on was run at \d\d:\d\d:\d\d UTC: exit 0", text) for text in found), found
    assert re.match(r"switched on again, and recovered in \d", sentence(done)), sentence(done)
    assert (done.result["effect_proven"], done.result["revert_proven"]) == (True, True)
    assert left(lab).split() == ["/run/gameday:", "/var/lib/gameday:"]


@machines
def test_a_service_that_does_not_come_back_fails_and_is_started_after_the_verdict(
    machines_up: SystemdLab, kind: str
) -> None:
    lab = machines_up
    lab.on("redfin", "systemctl", "disable", "sag-ui")
    done = rebooted(lab, "missing", "--set", "observe_s=25")
    lab.on("redfin", "systemctl", "enable", "sag-ui")
    assert done.code == 1, str(done)
    (booted,) = [event for event in done.events if event["event"] == "booted"]
    assert booted["missing"] == ["sag-ui"]
    restored = [event for event in done.events if event["event"] == "restored"]
    assert [(event["service"], event["status"]) for event in restored] == [("sag-ui", "pass")]
    assert done.result["revert_proven"]
    assert left(lab).split() == ["/run/gameday:", "/var/lib/gameday:"]


@machines
def test_a_node_that_does_not_come_back_is_unsafe_until_swept(machines_up: SystemdLab, kind: str) -> None:
    lab = machines_up
    lab.on("redfin", "systemctl", "mask", "ssh.service", "ssh.socket")
    done = rebooted(lab, "away", "--set", "back_s=10")
    assert done.code == 5, str(done)
    assert done.result["reason"] == "clean-unknown"
    assert not done.result["revert_proven"]
    lab.on("redfin", "systemctl", "unmask", "ssh.service", "ssh.socket")
    lab.on("redfin", "systemctl", "start", "ssh.service")
    told = lab.gameday("sweep")
    assert "the node has rebooted since" in told.out, str(told)
    swept = lab.gameday("sweep", "--revert")
    assert swept.code == 0, str(swept)
    assert left(lab).split() == ["/run/gameday:", "/var/lib/gameday:"]


def test_a_node_without_a_kernel_of_its_own_is_refused(lab: Lab) -> None:
    done = rebooted(lab, f"refused-{os.getpid()}")
    assert done.code == 3, str(done)
    assert "own-boot" in done.out + done.err
    assert "redfin runs on the console's own kernel" in done.out + done.err
