"""What goes to a node as a program, and what is made of its answers."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from console.faults.base import Scripts
from console.nodes import scripts
from console.nodes.guard_leased import NOTHING
from console.nodes.sampler import NodeSample, Reading
from console.nodes.sweep import traces

NOW = "now\t100.50\t0.25\t2000\t500\t400\t300\t{cpu}"


def sh(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-s"], input=program, capture_output=True, text=True, check=False)


def prepare(
    run_dir: Path, settings: dict[str, str | int] | None = None, actions: list[Scripts] | None = None, **undo: Any
) -> str:
    told: dict[str, Any] = {"undo_dir": str(run_dir.parent / "undo"), **undo}
    return scripts.prepare(str(run_dir), "r1", "shell", settings or {}, actions or [NOTHING], **told)


def sample(reading: Reading, line: str, at_s: float) -> NodeSample:
    made = reading.take(line, at_s)
    assert made
    return made


def test_a_sampler_that_hears_nothing_ends_at_the_tick_that_ends_its_lease() -> None:
    names = scripts.assignments({"UNITS": "", "EVERY_S": "0.1", "QUIET": 4})
    program = scripts.whole(names, "set --", scripts.text("sampler.sh"))
    with subprocess.Popen(
        ["sh", "-s"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as sampler:
        assert sampler.stdin
        assert sampler.stdout
        sampler.stdin.write(program)
        sampler.stdin.flush()  # and it stays open: what ends is not the channel
        assert [line.split("\t")[0] for line in sampler.stdout] == ["now"] * 3


@pytest.mark.parametrize("cut", [2, 3, 10, 40])
def test_a_program_that_is_cut_off_does_nothing(tmp_path: Path, cut: int) -> None:
    program = scripts.whole(f"touch {tmp_path}/a", f"touch {tmp_path}/b")
    sh(program[:-cut])
    assert list(tmp_path.iterdir()) == []
    sh(program)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("content", ["", "a\n", "it's ${x} `y` \\n %s\n'", "EOF\n}\n", "é\t\n\n"])
def test_a_file_arrives_word_for_word(tmp_path: Path, content: str) -> None:
    assert sh(scripts.whole(scripts.file(f"{tmp_path}/a b", content))).returncode == 0
    assert (tmp_path / "a b").read_text() == content


def test_a_run_folder_is_closed_to_others_and_complete(tmp_path: Path) -> None:
    run_dir = tmp_path / "run dir"
    action = Scripts(inject="i\n", effect="e\n", revert="r\n", clean="c\n")
    done = sh(prepare(run_dir, {"OPERATOR": "ann's", "LEASE": 300}, [action, NOTHING]))
    assert (done.returncode, done.stdout.split()[0], done.stderr) == (0, "boot", "")
    folder = run_dir / "r1"
    assert run_dir.stat().st_mode & 0o777 == folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "1" / "revert").read_text() == "r\n"
    settings = (folder / "settings").read_text().splitlines()
    own = ["OPERATOR='ann'\"'\"'s'", "LEASE=300", "KIND=shell", "ACTIONS='1 2'", "REVERSED='2 1'"]
    assert settings == [*own, f"AT='{folder}'", "UNDO=''"]


def test_a_run_folder_is_never_taken_twice(tmp_path: Path) -> None:
    program = prepare(tmp_path)
    assert sh(program).returncode == 0
    again = sh(program)
    assert (again.returncode, again.stdout) == (1, f"{tmp_path}/r1 is there already\n")


def test_cpu_is_the_busy_share_since_the_sample_before() -> None:
    reading = Reading("redfin", [])
    assert sample(reading, NOW.format(cpu="100 0 100 800 0 0 0 0 0 0"), 1.0).cpu_pct is None
    assert sample(reading, NOW.format(cpu="125 0 100 860 15 0 0 0 0 0"), 2.0).cpu_pct == 25.0
    assert sample(reading, NOW.format(cpu="125 0 100 860 15 0 0 0 0 0"), 3.0).cpu_pct is None


def test_what_a_node_does_not_say_is_none_never_zero() -> None:
    seen = sample(Reading("redfin", ["a"]), "now\t-\t-\t-\t-\t-\t-\t-", 1.0)
    assert seen == NodeSample("redfin", 1.0, None, None, None, None, None, None, {}, {})


def test_memory_is_total_less_available() -> None:
    seen = sample(Reading("redfin", []), NOW.format(cpu="-"), 1.0)
    assert (seen.memory_used_bytes, seen.memory_total_bytes, seen.load_1m) == (1500 * 1024, 2000 * 1024, 0.25)


def test_swap_is_told_as_used_of_all_and_a_node_without_any_has_none_of_none() -> None:
    seen = sample(Reading("redfin", []), NOW.format(cpu="-"), 1.0)
    assert (seen.swap_used_bytes, seen.swap_total_bytes) == (100 * 1024, 400 * 1024)
    without = sample(Reading("redfin", []), "now\t1\t1\t20\t5\t0\t0\t-", 1.0)
    assert (without.swap_used_bytes, without.swap_total_bytes) == (0, 0)


def test_cpu_is_not_told_anew_over_a_moment_too_short_for_it() -> None:
    reading = Reading("redfin", [])
    assert sample(reading, NOW.format(cpu="0 0 0 0"), 1.0).cpu_pct is None
    assert sample(reading, NOW.format(cpu="1 0 0 0"), 1.1).cpu_pct is None
    assert sample(reading, NOW.format(cpu="50 0 0 50"), 2.0).cpu_pct == 50.0
    assert sample(reading, NOW.format(cpu="51 0 0 50"), 2.1).cpu_pct == 50.0
    assert sample(reading, NOW.format(cpu="75 0 0 125"), 3.0).cpu_pct == 25.0


def test_services_are_told_apart_by_their_place_in_the_question() -> None:
    line = NOW.format(cpu="-") + "\tservice 1 |ActiveState=failed|SubState=dead|MainPID=0"
    (name, service), *others = sample(Reading("redfin", ["a", "b"]), line, 1.0).services.items()
    assert others == []
    assert (name, service.active, service.sub) == ("b", "failed", "dead")
    assert (service.restarts, service.pid) == (None, None)


def test_what_is_no_news_stays_as_it_was_and_after_long_it_is_not_known_any_more() -> None:
    reading = Reading("redfin", ["a"], ["/"])
    news = "\tservice 0 |ActiveState=active|SubState=running\tdisk 0 10 20"
    sample(reading, NOW.format(cpu="-") + news, 1.0)
    fresh = sample(reading, NOW.format(cpu="-"), 9.0)
    assert (set(fresh.services), fresh.disks) == ({"a"}, {"/": (10 * 1024, 20 * 1024)})
    stale = sample(reading, NOW.format(cpu="-"), 20.0)
    assert (stale.services, stale.disks) == ({}, {})


@pytest.mark.parametrize("line", ["", "now", "now\t1\t2", "sudo: remark"])
def test_a_line_that_is_not_ours_is_no_sample(line: str) -> None:
    assert Reading("redfin", ["a"]).take(line, 1.0) is None


@pytest.mark.parametrize("news", ["", "disk", "disk 0 x y", "disk 9 1 2", "disk 0 1", "service 9 |A=b", "remark"])
def test_news_that_cannot_be_read_spoils_no_sample(news: str) -> None:
    seen = sample(Reading("redfin", ["a"], ["/"]), NOW.format(cpu="-") + f"\t{news}", 1.0)
    assert (seen.load_1m, seen.services, seen.disks) == (0.25, {}, {})


def test_a_run_without_a_living_guard_is_a_leftover_with_all_that_it_left() -> None:
    listing = "lock\tr1\tann\t-500\t0\nfolder\tr1\tann\t0\tkilled; reverted 1\nprocess\tr1\t7 sleep 9 \n"
    (trace,) = traces("redfin", listing)
    assert (trace.state, trace.lease_left_s) == ("leftover", None)
    assert trace.detail == "the node's lock; its folder (killed; reverted 1); process 7 sleep 9"


def test_what_belongs_to_a_living_guard_is_held() -> None:
    listing = "lock\tr1\tann\t250\t0\nfolder\tr1\tann\t1\tnobody holds it\nprocess\tr1\t7 sleep 9\nprocess\tr2\t8 x\n"
    held, left = traces("redfin", listing)
    assert (held.run, held.state, held.lease_left_s) == ("r1", "held", 2.5)
    assert (left.run, left.state) == ("r2", "leftover")
