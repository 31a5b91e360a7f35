"""A run whose console died after the verdict: signed later, written up once, and never twice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from tests.hurry import hurried
from tests.lab import Lab

JUDGED = "concluded"


@pytest.fixture(scope="module")
def run(lab: Lab) -> str:
    """A real run, all of it."""
    done = lab.run(hurried(lab, "llm-gateway-kill", stable_for_s=2))
    assert done.code == 0, str(done)
    return str(done.result["run"])


@pytest.fixture
def unsigned(lab: Lab, run: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """That run as a console leaves it that dies right after the verdict, under a name of its own."""
    name = f"late{crc32(request.node.name.encode()):08x}"
    folder = lab.state / "runs" / name
    shutil.copytree(lab.state / "runs" / run, folder)
    for file in (folder / "journal.jsonl", folder / "plan.json"):
        file.write_text(file.read_text().replace(run, name))
    lines = (folder / "journal.jsonl").read_text().splitlines()
    last = next(n for n, line in enumerate(lines) if json.loads(line)["event"] == JUDGED)
    (folder / "journal.jsonl").write_text("\n".join(lines[: last + 1]) + '\n{"event":"phase","pha')
    yield name
    shutil.rmtree(folder)


def events(lab: Lab, name: str) -> list[dict[str, Any]]:
    file: Path = lab.state / "runs" / name / "journal.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()]


def rows(lab: Lab, name: str) -> str:
    return lab.psql(f"select count(*) from thermal_memory_archive where memory_hash like 'CHAOS-TEST-%-{name}'")


def test_a_run_that_was_judged_is_signed_later_and_written_up_once(lab: Lab, unsigned: str) -> None:
    done = lab.gameday("runs", "sign", unsigned, "PASS")
    assert done.code == 0, str(done)
    assert done.out.startswith("✓ delivered: CHAOS-TEST-LLM-GATEWAY-KILL-")
    assert rows(lab, unsigned) == "1"
    ends = [event["event"] for event in events(lab, unsigned)]
    assert ends[ends.index(JUDGED) :] == [
        JUDGED, "signed", "written-up", "delivery", "item", "phase", "ended",
    ]  # fmt: skip
    again = lab.gameday("runs", "sign", unsigned, "PASS")
    assert (again.code, "signed already: PASS" in again.err) == (3, True), str(again)
    assert rows(lab, unsigned) == "1"


def test_contradicting_the_machine_needs_a_note(lab: Lab, unsigned: str) -> None:
    refused = lab.inside("runs", "sign", unsigned, "FAIL")
    assert (refused.code, "needs a note" in refused.err) == (3, True), str(refused)
    assert "signed" not in [event["event"] for event in events(lab, unsigned)]
    assert rows(lab, unsigned) == "0"
    assert lab.inside("runs", "sign", unsigned, "FAIL", "--note", "users saw errors for a minute").code == 0
    assert rows(lab, unsigned) == "1"


def test_what_was_never_judged_is_never_signed(lab: Lab, unsigned: str) -> None:
    file = lab.state / "runs" / unsigned / "journal.jsonl"
    file.write_text("\n".join(line for line in file.read_text().splitlines() if f'"{JUDGED}"' not in line) + "\n")
    done = lab.inside("runs", "sign", unsigned, "PASS")
    assert (done.code, "no verdict to sign" in done.err) == (3, True), str(done)
    assert rows(lab, unsigned) == "0"


def test_a_journal_with_a_hole_is_never_signed(lab: Lab, unsigned: str) -> None:
    file = lab.state / "runs" / unsigned / "journal.jsonl"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:-1], '{"event":"no such"}', "{}"]) + "\n")
    done = lab.inside("runs", "sign", unsigned, "PASS")
    assert (done.code, "cannot be read whole" in done.err) == (3, True), str(done)
    assert rows(lab, unsigned) == "0"


def test_a_run_whose_console_lives_is_signed_there_only(lab: Lab, unsigned: str) -> None:
    import fcntl

    with (lab.state / "runs" / unsigned / "alive").open("r+") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        done = lab.inside("runs", "sign", unsigned, "PASS")
    assert (done.code, "is still there" in done.err) == (3, True), str(done)
