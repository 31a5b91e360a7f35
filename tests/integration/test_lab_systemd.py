"""The systemd lab: real machines, which come back after what befalls them, and leave nothing when they go."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from console.errors import BadInput, GamedayError
from console.lab import embedded
from console.lab.fleet import FLEET, LabNode
from console.lab.layout import LabLayout
from console.lab.remains import read_facts
from console.lab.systemd import outside
from console.lab.systemd.hardware import HARDWARE, MB
from console.lab.systemd.host import check_host
from console.lab.systemd.image import image
from console.lab.systemd.setup import CLUSTER_UNIT, unit_of
from tests.systemd_lab import CONSOLE, SystemdLab


def reaches(lab: SystemdLab, node: str, other: str) -> bool:
    """Whether a ping from one node arrives at the other."""
    return "1 received" in lab.on(node, "ping", "-c1", "-W1", other, check=False)


def ssh_answers(lab: SystemdLab, node: str) -> bool:
    """Whether the node's sshd says its name to this host."""
    try:
        with socket.create_connection((lab.inventory.nodes[node].address, 22), timeout=1) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def healthy(lab: SystemdLab) -> bool:
    """Whether the gateway answers its own node."""
    url = lab.inventory.nodes["redfin"].services["llm-gateway"].health
    return lab.on("redfin", "curl", "-fsm1", url, check=False) != ""


def of_the_lab(folder: Path) -> dict[str, list[str]]:
    """What this host has of the lab in that folder: processes, mounts, loop devices, control groups, cables."""
    facts = read_facts(LabLayout(folder))
    lab_id = facts.id if facts else "no facts"
    processes = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                environment, state = (entry / "environ").read_bytes(), (entry / "stat").read_text().rpartition(")")[2]
                if lab_id.encode() in environment or (entry / "root").readlink().is_relative_to(folder):
                    processes += [entry.name] if state.split()[0] != "Z" else []
            except OSError:
                continue
    loops = subprocess.run(["losetup", "-ln", "-O", "BACK-FILE"], capture_output=True, text=True, check=True).stdout
    aliases = [path for path in Path("/sys/class/net").glob("*/ifalias") if lab_id in path.read_text()]
    return {
        "processes": processes,
        "mounts": [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(folder) in line],
        "loops": [line for line in loops.splitlines() if str(folder) in line],
        "groups": [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/gameday-{lab_id}-*")],
        "cables": [path.parent.name for path in aliases],
    }


def within(limit_s: float, true: Callable[[], bool]) -> bool:
    """Whether that came true in time."""
    end_s = time.monotonic() + limit_s
    while not true() and time.monotonic() < end_s:
        time.sleep(0.05)
    return true()


@pytest.mark.parametrize("node", FLEET, ids=lambda node: node.name)
def test_every_service_is_active_on_a_machine_that_runs_without_failed_units(
    systemd_lab: SystemdLab, node: LabNode
) -> None:
    assert systemd_lab.on(node.name, "systemctl", "is-system-running") == "running\n"
    units = [unit_of(service) for service in node.services]
    assert systemd_lab.on(node.name, "systemctl", "is-active", *units).split() == ["active"] * len(units)
    assert systemd_lab.ssh(node.name, "hostname; id -un; sudo -n id -un").split() == [node.name, "gameday", "root"]


def test_status_finds_out_which_kind_of_lab_lies_in_a_folder(systemd_lab: SystemdLab) -> None:
    done = systemd_lab.inside("lab", "status", "--dir", str(systemd_lab.dir))
    assert (done.code, done.out.count("● up")) == (0, 3), str(done)


def test_nodes_reach_each_other_and_nothing_else(systemd_lab: SystemdLab) -> None:
    assert reaches(systemd_lab, "redfin", "bluefin")
    assert reaches(systemd_lab, "greenfin", CONSOLE)
    assert "default" not in systemd_lab.on("redfin", "ip", "route") + systemd_lab.on("redfin", "ip", "-6", "route")


def test_an_account_from_elsewhere_is_not_let_in(systemd_lab: SystemdLab) -> None:
    spec = systemd_lab.inventory.nodes["redfin"]
    key = Path(spec.identity).read_text()
    systemd_lab.on("greenfin", "sh", "-euc", "umask 077; cat >/root/key", stdin=key)
    login = ["ssh", "-i", "/root/key", "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes", "gameday@redfin", "id"]
    assert systemd_lab.on("greenfin", *login, check=False) == ""
    systemd_lab.on("greenfin", "rm", "/root/key")


def test_a_cut_link_is_silent_and_leaves_all_others(systemd_lab: SystemdLab) -> None:
    with systemd_lab.cut("redfin", "bluefin"):
        assert not reaches(systemd_lab, "redfin", "bluefin")
        assert reaches(systemd_lab, "redfin", "greenfin")
        assert ssh_answers(systemd_lab, "redfin")
    with systemd_lab.cut(CONSOLE, "redfin"):
        assert not ssh_answers(systemd_lab, "redfin")
        assert ssh_answers(systemd_lab, "bluefin")
        assert reaches(systemd_lab, "redfin", "bluefin")
    assert reaches(systemd_lab, "redfin", "bluefin")
    assert ssh_answers(systemd_lab, "redfin")


def test_a_killed_gateway_is_started_again(systemd_lab: SystemdLab) -> None:
    before = systemd_lab.on("redfin", "systemctl", "show", "-p", "MainPID", "--value", "llm-gateway").strip()
    systemd_lab.on("redfin", "kill", "-9", before)
    assert within(10, lambda: healthy(systemd_lab))
    assert systemd_lab.on("redfin", "systemctl", "show", "-p", "MainPID", "--value", "llm-gateway").strip() != before
    assert systemd_lab.log("redfin", "gateway.jsonl")[-1]["event"] == "first_ok"


def test_a_killed_database_comes_back(systemd_lab: SystemdLab) -> None:
    systemd_lab.on("bluefin", "pkill", "-9", "postgres")
    active = ["systemctl", "is-active", CLUSTER_UNIT]
    assert within(20, lambda: systemd_lab.on("bluefin", *active, check=False) == "active\n")
    assert systemd_lab.psql("select count(*) from council_votes") == "0"


def test_a_rebooted_machine_comes_back_with_its_disk_and_without_its_memory(systemd_lab: SystemdLab) -> None:
    boot = systemd_lab.on("redfin", "systemctl", "show", "-p", "InactiveExitTimestampMonotonic", "basic.target")
    systemd_lab.on("redfin", "sh", "-euc", "echo kept >/root/kept; touch /run/gone; iptables -A INPUT -p tcp -j ACCEPT")
    systemd_lab.on("redfin", "systemctl", "reboot")
    assert within(10, lambda: not ssh_answers(systemd_lab, "redfin"))
    assert within(40, lambda: systemd_lab.is_on("redfin") and healthy(systemd_lab))
    assert systemd_lab.on("redfin", "cat", "/root/kept") == "kept\n"
    assert "gone" not in systemd_lab.on("redfin", "ls", "/run").split()
    assert "tcp" not in systemd_lab.on("redfin", "iptables", "-S")
    assert systemd_lab.on("redfin", "systemctl", "show", "-p", "InactiveExitTimestampMonotonic", "basic.target") != boot
    assert systemd_lab.ssh("redfin", "cat /root/kept 2>&1 || sudo -n cat /root/kept").endswith("kept\n")
    assert reaches(systemd_lab, "redfin", "bluefin")


def test_a_machine_has_the_memory_that_it_says(systemd_lab: SystemdLab) -> None:
    limit = HARDWARE["redfin"].memory_mb
    shown = {
        line.split(":")[0]: line.split()[1] for line in systemd_lab.on("redfin", "cat", "/proc/meminfo").splitlines()
    }
    assert int(shown["MemTotal"]) == limit * 1024
    assert 0 < int(shown["MemAvailable"]) < limit * 1024
    # More than it has: the kernel ends the one that asked, and nothing else.
    greedy = f"exec python3 -c 'x = bytearray({limit * 2 * MB})'"
    assert systemd_lab.ssh("redfin", f"({greedy}) && echo got it; echo $?").strip() == "137"
    assert healthy(systemd_lab)


def test_a_small_disk_is_full_when_it_is_full(systemd_lab: SystemdLab) -> None:
    size_mb = HARDWARE["redfin"].disks[0].size_mb
    fill = f"dd if=/dev/zero of=/tmp/fill bs=1M count={size_mb} 2>&1; rm /tmp/fill"
    assert "No space left on device" in systemd_lab.ssh("redfin", fill)
    assert "No space" not in systemd_lab.ssh(
        "redfin", "dd if=/dev/zero of=$HOME/fill bs=1M count=8 2>&1; rm $HOME/fill"
    )


def test_two_labs_run_side_by_side_and_one_that_goes_down_leaves_nothing(
    systemd_lab: SystemdLab, tmp_path: Path
) -> None:
    other = SystemdLab(tmp_path)
    outside.up(other.dir)
    assert other.ssh("redfin", "hostname") == "redfin\n"
    assert other.inventory.nodes["redfin"].address != systemd_lab.inventory.nodes["redfin"].address
    there = of_the_lab(tmp_path / "lab")
    assert there["processes"]
    assert there["loops"]
    assert there["groups"]
    assert there["cables"]
    lab_id = read_facts(LabLayout(tmp_path / "lab"))
    assert outside.down(tmp_path / "lab")
    assert lab_id
    assert systemd_lab.ssh("redfin", "hostname") == "redfin\n"
    assert within(20, lambda: not any(of_the_lab(tmp_path / "lab").values()))
    assert not list(Path("/sys/fs/cgroup").glob(f"**/gameday-{lab_id.id}-*"))
    assert not [path for path in Path("/sys/class/net").glob("*/ifalias") if lab_id.id in path.read_text()]


@pytest.mark.parametrize("victims", ["daemon", "all"])
def test_a_killed_lab_leaves_nothing(tmp_path: Path, victims: str) -> None:
    folder = tmp_path / "lab"
    outside.up(folder)
    facts = read_facts(LabLayout(folder))
    assert facts
    pids = [facts.pid] if victims == "daemon" else [int(pid) for pid in of_the_lab(folder)["processes"]]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    alive = ("processes", "mounts", "loops", "cables")
    assert within(5, lambda: not any(of_the_lab(folder)[kind] for kind in alive)), of_the_lab(folder)
    assert outside.down(folder)  # what the kernel keeps: control groups
    assert not list(Path("/sys/fs/cgroup").glob(f"**/gameday-{facts.id}-*"))
    assert not embedded.down(folder)


def test_a_host_that_cannot_run_machines_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda program: None if program == "mmdebstrap" else f"/usr/bin/{program}")
    with pytest.raises(BadInput, match="needs mmdebstrap: apt-get install mmdebstrap"):
        check_host()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(BadInput, match="needs root"):
        check_host()


def test_two_who_need_the_image_at_once_make_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maker = tmp_path / "bin" / "mmdebstrap"
    maker.parent.mkdir()
    maker.write_text(f'#!/bin/sh\necho made >>{tmp_path}/log\nfor root; do :; done\nmkdir "$root"; sleep 0.5\n')
    maker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{maker.parent}:{os.environ['PATH']}")
    monkeypatch.setattr("console.lab.systemd.image.CACHE", tmp_path / "cache")
    with ThreadPoolExecutor() as both:
        made = list(both.map(lambda _: image(), range(2)))
    assert made[0] == made[1]
    assert made[0].is_dir()
    assert (tmp_path / "log").read_text() == "made\n"


def test_half_an_image_is_never_taken_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maker = tmp_path / "bin" / "mmdebstrap"
    maker.parent.mkdir()
    maker.write_text('#!/bin/sh\nfor root; do :; done\nmkdir "$root"; echo "E: no mirror" >&2; exit 25\n')
    maker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{maker.parent}:{os.environ['PATH']}")
    monkeypatch.setattr("console.lab.systemd.image.CACHE", tmp_path / "cache")
    with pytest.raises(GamedayError, match="E: no mirror"):
        image()
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_an_interrupted_up_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    command = [sys.executable, "-m", "console", "lab", "up", "--kind", "systemd", "--dir", str(folder)]
    up = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert up.stdout
    while "booting" not in (line := up.stdout.readline()):
        assert line, up.stderr and up.stderr.read()
    lab_id = read_facts(LabLayout(folder))
    time.sleep(1)
    up.send_signal(signal.SIGINT)
    _, told = up.communicate(timeout=30)
    assert (up.returncode, told) == (130, "interrupted; what was up has been taken down\n")
    assert lab_id
    assert not list(Path("/sys/fs/cgroup").glob(f"**/gameday-{lab_id.id}-*"))
    assert within(5, lambda: not any(of_the_lab(folder).values()))
