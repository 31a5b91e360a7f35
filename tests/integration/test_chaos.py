"""Fault modes by hand on a lab: held by a console or by the node alone, changed from elsewhere, and always gone."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.hurry import sentence, verdict
from tests.lab import Lab
from tests.store_runs import MODES, modes_passed, run
from tests.trials import GRACE_S, LEASE_S

WRITES = """\
for i in $(seq 1 400); do
  for port in 7070 7071; do curl -s -m 2 -o /dev/null -X PUT -d v http://127.0.0.1:$port/records/chaos; done
  sleep 0.1
done
"""
HEALTH = "curl -s -o /dev/null -w '%{{http_code}}' http://127.0.0.1:{}/health || :"
TRACED = "cat /proc/$(systemctl show -p MainPID --value {unit})/task/*/status | grep -c 'TracerPid:[^0-9]*[1-9]' || :"


@contextmanager
def writes(lab: Lab) -> Iterator[None]:
    """Records are written to both stores meanwhile: only calls that are made can fail, and no console is there."""
    with subprocess.Popen(lab.ssh_command("bluefin", WRITES), stdin=subprocess.DEVNULL) as writer:
        try:
            yield
        finally:
            writer.kill()


def until(console: subprocess.Popen[str], text: str) -> list[str]:
    """The lines that the console prints until one has that text."""
    assert console.stdout
    lines: list[str] = []
    for line in console.stdout:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError(f"no line has {text!r}: {''.join(lines)}")


def store_port(lab: Lab) -> str:
    return lab.inventory.stores["sigil"].url.split(":")[2].partition("/")[0]


def free(lab: Lab) -> bool:
    return lab.inside("sweep").out.count("clean") == 3 and lab.marked() == []


@pytest.fixture(autouse=True)
def nothing_left(lab: Lab) -> Iterator[None]:
    yield
    assert lab.wait_until(lambda: free(lab), 15, 0.5), lab.inside("sweep").out
    for unit in ("sigil", "lightning"):
        assert lab.ssh("bluefin", TRACED.format(unit=f"{unit}.service")).strip() == "0"


def test_with_a_time_the_node_alone_holds_it_and_it_is_changed_seen_and_ended_from_elsewhere(lab: Lab) -> None:
    with writes(lab):
        done = lab.gameday("chaos", "mode", "disk-full", "--target", "bluefin/sigil", "--rate", "50", "--for", "2m")
        assert done.code == 0, str(done)
        assert "held: bluefin holds the fault by itself until " in done.out
        assert "held by run" in (held := lab.inside("sweep").out)
        assert "when the node takes it back by itself" in held
        assert lab.inside("chaos", "rate").out == "disk_full in sigil.service on bluefin: 50 %\n"
        assert lab.inside("chaos", "rate", "90").out == "disk_full in sigil.service on bluefin: 90 %\n"
        (told,) = json.loads(lab.inside("chaos", "stats", "--json").out)
        assert (told["backend"], told["asked_pct"], told["achieved_pct"]) == ("libfiu", 90, None)
        assert told["service"]["ENOSPC"] > 0
    ended = lab.inside("chaos", "reset", "--target", "bluefin/sigil")
    assert (ended.code, ended.out) == (0, "✓ bluefin: taken back, proven gone, and the node is free\n")
    again = lab.inside("chaos", "reset")
    assert (again.code, again.err) == (3, "gameday: no fault mode acts on any node that answers\n")
    assert lab.inside("chaos", "stats", "--json").out == "[]\n"


def test_a_mode_whose_console_is_killed_is_gone_within_its_lease(lab: Lab) -> None:
    with lab.start("chaos", "mode", "disk-fail", "--target", "bluefin/lightning", "--rate", "50") as console:
        until(console, "it acts until Ctrl-C")
        assert int(lab.ssh("bluefin", TRACED.format(unit="lightning.service"))) > 0
        console.kill()
        gone = lambda: lab.ssh("bluefin", TRACED.format(unit="lightning.service")).strip() == "0"  # noqa: E731
        assert lab.wait_until(gone, LEASE_S + GRACE_S)


def test_ctrl_c_is_the_end_of_a_mode_and_no_abort(lab: Lab) -> None:
    with lab.start("chaos", "mode", "slow-io", "--target", "bluefin/lightning", "--rate", "50") as console:
        until(console, "it acts until Ctrl-C")
        console.send_signal(signal.SIGINT)
        out, _ = console.communicate(timeout=60)
        assert console.returncode == 0, out
        assert "passed: every expectation was met and the fault is proven gone" in out
        assert " achieved (95 %: " in out


def test_each_mode_is_told_well_by_a_service_that_lives_on(lab: Lab) -> None:
    modes_passed(*run(lab, *MODES, hold_s=6))


def test_a_store_that_swallows_an_error_of_its_disk_has_lost_what_it_acknowledged(lab: Lab) -> None:
    with lab.unit("bluefin", "sigil.service", Environment="STACK_BREAK=swallow-eio"):
        lab.ssh("bluefin", "systemctl restart sigil")
        assert lab.wait_until(lambda: lab.ssh("bluefin", HEALTH.format(store_port(lab))).strip() == "200", 15)
        done = lab.run("chaos-disk-full", "--set", "mode=disk_fail", "--set", "hold_s=6")
    assert verdict(done) == (1, "failed", "data-loss"), str(done)
    assert " acknowledged records are gone " in sentence(done)


def test_the_monkey_runs_its_seeds_faults_one_after_the_other_and_nothing_stays(lab: Lab) -> None:
    words = shlex.split("--seed 4 --for 40s --only low --target bluefin/sigil --target bluefin/lightning")
    planned = lab.inside("chaos", "monkey", *words, "--dry-run").out.splitlines()
    assert [line.partition(",")[0] for line in planned] == [
        "1: call-errors disk_full at 10 %",
        "2: process-signal TERM in sigil on bluefin",
    ]
    done = lab.gameday("chaos", "monkey", *words)
    assert done.code == 0, str(done)
    assert "2 passed, 0 failed, 0 skipped" in done.out
    assert done.out.count(" acknowledged records are there") >= 1
