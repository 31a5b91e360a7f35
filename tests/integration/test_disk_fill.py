"""disk-fill on a real machine with systemd: never paths are refused by the console, and what is filled is emptied."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
import yaml

from tests.lab import GAMEDAY, Done
from tests.machine import Machine

DISK_MB = 64
LEASE_S = 3.0


@dataclass
class Console:
    """The command line with an inventory of one machine, which has a small disk of its own at `/gd`."""

    machine: Machine
    folder: Path

    def start(self, *args: str) -> subprocess.Popen[str]:
        own = {"GAMEDAY_STATE": str(self.folder / "state"), "GAMEDAY_INVENTORY": str(self.folder / "i.yaml")}
        return subprocess.Popen(
            [*GAMEDAY, "run", str(self.folder / "fill.yaml"), "--attest", "all", "--json", *args],
            env={**os.environ, **own}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *args: str) -> Done:
        """`gameday run` of this module's scenario, to its end."""
        process = self.start(*args)
        out, err = process.communicate(timeout=90)
        return Done(process.returncode, out, err)

    def state(self) -> str:
        """What lies on the disk, and how many blocks of it are in use."""
        return self.machine.run("sh", "-euc", "sync -f /gd; find /gd /far | sort; stat -f -c '%b %f %a' /gd")


SCENARIO = {
    "name": "fill", "title": "Fill", "category": "resource", "risk": "medium",
    "purpose": "p", "hypothesis": "h", "rollback": "r",
    "method": [{"node": "redfin", "fault": {
        "kind": "disk-fill", "path": "/gd", "size": "30MB", "step": "10MB", "hold_s": 2,
    }}],
    "steady_state": [{"id": "log", "title": "Log", "probe": {"probe": "service", "node": "redfin", "service": "log"}}],
    "expectations": [
        {"id": "risen", "title": "Fuller", "within_s": 20,
         "probe": {"probe": "filesystem", "node": "redfin", "path": "/gd", "state": "risen", "points": 40}},
        {"id": "back", "title": "Empty", "within_s": 20, "after": "revert",
         "probe": {"probe": "filesystem", "node": "redfin", "path": "/gd", "state": "fallen-back"}},
    ],
}  # fmt: skip


@pytest.fixture
def console(systemd: Machine, tmp_path: Path) -> Iterator[Console]:
    made = Console(systemd, tmp_path)
    inside = systemd.run
    subprocess.run(["truncate", "-s", f"{DISK_MB}M", str(tmp_path / "image")], check=True)
    subprocess.run(["mkfs.ext4", "-q", str(tmp_path / "image")], check=True)
    loop = subprocess.run(
        ["losetup", "-f", "--show", str(tmp_path / "image")], check=True, capture_output=True, text=True
    ).stdout.strip()
    device = os.stat(loop).st_rdev
    try:
        inside(
            "sh", "-euc",
            f"[ -e {loop} ] || mknod {loop} b {os.major(device)} {os.minor(device)}; mkdir -p /gd /far /again; "
            f"mount {loop} /gd; mount -t tmpfs -o size=4m far /far; mkdir /gd/ganuda",
        )  # fmt: skip
        yield made
    finally:
        inside("sh", "-c", "umount /again /bound /gd /far; rm -rf /gd /far /again /bound /link", check=False)
        subprocess.run(["losetup", "-d", loop], check=True)


@pytest.fixture
def never(request: pytest.FixtureRequest, console: Console) -> str:
    """The never path of this test's inventory."""
    path = str(getattr(request, "param", "/far"))
    spec = console.machine.spec("/run/gameday")
    node = {k: v for k, v in msgspec.to_builtins(spec).items() if k in ("address", "user", "identity", "known_hosts")}
    inventory = {
        "version": 1, "name": "t", "lease_s": LEASE_S,
        "nodes": {"redfin": {
            **node, "never": [path], "disks": ["/gd"], "services": {"log": {"unit": "systemd-journald.service"}},
        }},
        "approvals": {"medium": {"quorum": 0}},
    }  # fmt: skip
    (console.folder / "i.yaml").write_text(yaml.safe_dump(inventory))
    (console.folder / "fill.yaml").write_text(yaml.safe_dump(SCENARIO))
    return path


FORMS = {
    "directly": ("true", "/gd/ganuda"),
    "through a symlink": ("ln -s /gd/ganuda /link", "/link"),
    "through a bind mount": ("mkdir -p /bound; mount --bind /gd/ganuda /bound", "/bound"),
    "by way of ..": ("true", "/gd/ganuda/../ganuda"),
    "as a mount of the same device": ("mount $(findmnt -no SOURCE /gd) /again", "/again"),
    "a neighbour folder of the same file system": ("mkdir /gd/neighbour", "/gd/neighbour"),
}


@pytest.mark.parametrize("never", ["/gd/ganuda"], indirect=True)
@pytest.mark.parametrize("form", FORMS)
def test_a_never_path_is_refused_in_every_form_and_nothing_is_written(console: Console, never: str, form: str) -> None:
    make, path = FORMS[form]
    console.machine.run("sh", "-euc", make)
    before = console.state()
    done = console.run("--set", f"path={path}")
    assert (done.code, done.result["outcome"], done.result["reason"]) == (3, "not-run", "refused"), str(done)
    assert f"{never}, which is never touched" in done.out
    assert "name a folder on another file system" in done.out
    assert not [event for event in done.events if event["event"] == "arming"]
    assert console.state() == before


@pytest.mark.usefixtures("never")
def test_a_disk_is_filled_seen_and_emptied(console: Console) -> None:
    before = console.state()
    done = console.run()
    assert (done.code, done.result["outcome"]) == (0, "passed"), str(done)
    assert (done.result["effect_proven"], done.result["revert_proven"]) == (True, True)
    observed = {item["id"]: item["observed"] for item in done.result["expectations"]}
    assert "; 0 % before" in observed["risen"]
    evidence = [event["evidence"] for event in done.events if event["event"] == "effect"]
    assert "with 30 MB of ours; before: 0 % used" in evidence[-1]
    assert console.state() == before
    assert console.machine.run("sh", "-c", "find /run/gameday /var/lib/gameday -name inject", check=False) == ""


@pytest.mark.usefixtures("never")
@pytest.mark.parametrize("what", ["console", "guard"])
def test_a_disk_is_emptied_within_the_lease_of_a_killed_console_or_guard(console: Console, what: str) -> None:
    before = console.state()
    process = console.start("--set", "hold_s=60")
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if json.loads(line).get("event") == "effect":
            break
    assert console.state() != before, "".join(lines[-12:])
    if what == "console":
        process.kill()
    else:
        console.machine.run("systemctl", "kill", "--kill-whom=main", "-s", "KILL", "gameday-guard")
    killed_s = time.monotonic()
    while console.state() != before:
        assert time.monotonic() - killed_s < LEASE_S + 3, console.state()
    process.communicate(timeout=60)
    while console.machine.run("systemctl", "is-active", "gameday-guard", check=False).strip() != "inactive":
        assert time.monotonic() - killed_s < LEASE_S + 20
    assert console.machine.run("sh", "-c", "find /run/gameday /var/lib/gameday -name inject", check=False) == ""
