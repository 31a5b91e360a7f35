"""The embedded lab's end: however it comes, nothing of the lab outlives it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from console.lab import embedded
from console.lab.layout import LabLayout
from console.lab.processes import marked
from console.plan.inventory import load_inventory
from tests.integration.embedded_lab import facts, postgres_of, until


def test_killing_the_daemon_leaves_no_process(tmp_path: Path) -> None:
    inventory = load_inventory(embedded.up(tmp_path))
    lab = LabLayout(tmp_path)
    known = facts(lab)
    node = inventory.nodes["redfin"]
    where = ["-i", node.identity, "-o", f"UserKnownHostsFile={node.known_hosts}", "-p", str(node.port)]
    script = "setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo ready; sleep 1000"
    held = subprocess.Popen(["ssh", "-F", "none", *where, f"{node.user}@127.0.0.1", script], stdout=subprocess.PIPE)
    assert held.stdout
    assert held.stdout.readline() == b"ready\n"
    os.kill(known.pid, signal.SIGKILL)
    until(lambda: not marked(known.id) and not postgres_of(lab), 10)
    held.communicate()
    assert not embedded.status(tmp_path).up
    assert embedded.down(tmp_path)


@pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])
def test_the_next_up_ends_what_a_killed_lab_left(tmp_path: Path, *, shared: bool) -> None:
    embedded.up(tmp_path, shared=shared)
    lab = LabLayout(tmp_path)
    known = facts(lab)
    nodes = [pid for pid in marked(known.id) if b"console.lab.node" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    for pid in (known.pid, *nodes):
        os.kill(pid, signal.SIGSTOP)
    # A node that shares the machine leaves its services behind; of one with its own processes nothing would be left.
    for pid in (known.pid, *(nodes if shared else ())):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not embedded.status(tmp_path).up)
    assert marked(known.id)
    embedded.up(tmp_path)
    assert marked(known.id) == []
    assert embedded.status(tmp_path).up
    embedded.down(tmp_path)


CALL_UP = """
import sys, time
from pathlib import Path
from console.lab import embedded
signalled = lambda line: print(line, flush=True)
embedded.up(Path(sys.argv[1]), lifeline=True, progress=signalled)
print("up", flush=True)
time.sleep(1000)
"""


def caller(root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", CALL_UP, str(root)], stdout=subprocess.PIPE, text=True)


def test_a_lab_on_a_lifeline_ends_with_the_process_that_called_up(tmp_path: Path) -> None:
    with caller(tmp_path) as process:
        assert process.stdout
        until(lambda: process.stdout and process.stdout.readline() == "up\n")
        known = facts(LabLayout(tmp_path))
        process.kill()
    until(lambda: not marked(known.id) and not postgres_of(LabLayout(tmp_path)), 10)
    until(lambda: not embedded.status(tmp_path).up)


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("bluefin: initdb", signal.SIGKILL),
        ("nodes: SSH and supervisor", signal.SIGINT),
        ("services: waiting", signal.SIGKILL),
    ],
)
def test_an_interrupted_up_leaves_no_process(tmp_path: Path, moment: str, number: int) -> None:
    with caller(tmp_path) as process:
        assert process.stdout
        until(lambda: process.stdout and process.stdout.readline().startswith(moment))
        known = facts(LabLayout(tmp_path))
        process.send_signal(number)
    until(lambda: not marked(known.id) and not postgres_of(LabLayout(tmp_path)), 15)


def run_cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from console.cli.lab import lab; lab()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_line_brings_it_up_shows_it_and_leaves_no_process_and_only_logs(tmp_path: Path) -> None:
    where, lab = ["--dir", str(tmp_path)], LabLayout(tmp_path)
    assert run_cli("status", *where).returncode == 3
    up = run_cli("up", *where)
    try:
        assert (up.returncode, up.stdout.splitlines()[-1]) == (0, str(tmp_path / "inventory.yaml"))
        status = run_cli("status", *where)
        assert status.returncode == 0
        assert re.search(r"llm-gateway +● active \(running\) +port \d+", status.stdout)
        lab_id = facts(lab).id
        assert len(marked(lab_id)) >= 1 + 3 + 13
    finally:
        assert run_cli("down", *where).returncode == 0
    assert (marked(lab_id), postgres_of(lab)) == ([], [])
    assert {file.suffix for file in tmp_path.rglob("*") if file.is_file()} <= {".log", ".jsonl", ".lock"}
    assert not embedded.down(tmp_path)
    assert run_cli("status", *where).returncode == 3


def test_the_command_line_refuses_a_folder_with_something_else_in_it(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    refused = run_cli("up", "--dir", str(tmp_path))
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]
