"""The runs on this machine: claimed once, alive as long as their console, found by the beginning of their id."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from console.errors import BadInput, Refused
from console.events import AnyEvent, Concluded, RunStarted, WrittenUp
from console.record import journal, runs, sections
from console.record.lines import encode
from console.record.outbox import Outbox
from console.record.writeup import WriteUp
from console.terms import Outcome, Reason


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def started(run: str, at_s: float = 100.0) -> RunStarted:
    return RunStarted(
        at_s=at_s,
        run=run,
        scenario="llm-gateway-kill",
        title="Kill the gateway",
        risk="low",
        digest="d",
        operator="ana",
        inventory="lab",
        nodes=("redfin",),
        targets=("redfin",),
        lease_s=3.0,
        fault="process-signal TERM",
    )


CONCLUDED = Concluded(at_s=150.0, outcome=Outcome.FAILED, reason=Reason.EXPECTATION, sentence="never came back")


def write(folder: Path, *events: AnyEvent) -> None:
    (folder / journal.FILE).write_bytes(b"".join(encode(event) + b"\n" for event in events))


def died(run: str, *events: AnyEvent) -> Path:
    """A run whose console is dead."""
    folder = runs.claim(run)
    write(folder, *events)
    runs.let_go(folder)
    return folder


def test_the_state_folder_is_private(home: Path) -> None:
    folder = died("abcdefgh")
    assert [path.stat().st_mode & 0o777 for path in (home, home / "runs", folder)] == [0o700] * 3


def test_a_run_is_claimed_only_once() -> None:
    died("abcdefgh")
    with pytest.raises(Refused, match="at most once"):
        runs.claim("abcdefgh")


@pytest.mark.parametrize("run", ["../x", "", "a/b", "A"])
def test_a_run_id_is_never_a_path(run: str) -> None:
    with pytest.raises(BadInput, match="no run id"):
        runs.claim(run)


def test_a_run_without_conclusion_is_running_while_its_console_lives() -> None:
    folder = runs.claim("abcdefgh")
    write(folder, started("abcdefgh"))
    assert runs.summary(folder).verdict == "running"
    runs.let_go(folder)
    assert runs.summary(folder).verdict == "interrupted"


def test_a_killed_console_leaves_its_run_interrupted(home: Path) -> None:
    script = "from console.record import runs; import sys; runs.claim('abcdefgh'); print(flush=True); sys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    assert runs.alive(home / "runs" / "abcdefgh")
    process.kill()
    process.communicate()
    assert not runs.alive(home / "runs" / "abcdefgh")


def test_a_concluded_run_tells_its_outcome_and_reason() -> None:
    seen = runs.summary(died("abcdefgh", started("abcdefgh"), CONCLUDED))
    assert (seen.verdict, seen.sentence, seen.live) == ("failed: expectation", "never came back", False)


def test_a_write_up_is_queued_while_it_waits_and_delivered_once_it_has_left_the_outbox() -> None:
    box = Outbox(runs.outbox_home())
    box.put(WriteUp(hash="H", content="c", stage="FRESH", temperature=85.0, sacred=False))
    folder = died("abcdefgh", started("abcdefgh"), CONCLUDED, WrittenUp(at_s=1, hash="H"))
    assert (runs.summary(folder).hash, runs.summary(folder).delivered) == ("H", False)
    box.remove("H")
    assert runs.summary(folder).delivered
    assert sections.thermal(runs.load(folder)[0]).lines == ("✓ delivered: H",)


def test_a_run_without_a_write_up_was_not_delivered() -> None:
    assert not runs.summary(died("abcdefgh", started("abcdefgh"), CONCLUDED)).delivered


def test_the_newest_run_comes_first_and_an_unreadable_one_is_not_hidden() -> None:
    died("aaaaaaaa", started("aaaaaaaa", 100.0), CONCLUDED)
    died("bbbbbbbb", started("bbbbbbbb", 200.0), CONCLUDED)
    (died("cccccccc") / journal.FILE).unlink()
    listed = runs.all_runs()
    assert [run.run for run in listed] == ["bbbbbbbb", "aaaaaaaa", "cccccccc"]
    assert "cannot be read" in listed[2].complaint


def test_a_run_is_found_by_the_beginning_of_its_id() -> None:
    folder = died("abcdefgh")
    assert runs.find("abcdefgh") == runs.find("abc") == folder


def test_a_beginning_that_fits_two_runs_is_refused() -> None:
    died("abcdefgh")
    died("abczzzzz")
    with pytest.raises(BadInput, match="fits 2 runs: abcdefgh, abczzzzz"):
        runs.find("abc")


def test_an_unknown_run_names_the_near_match() -> None:
    died("abcdefgh")
    with pytest.raises(BadInput, match="did you mean 'abcdefgh'"):
        runs.find("abcdegfh")


def test_no_run_is_found_by_an_empty_name() -> None:
    died("abcdefgh")
    with pytest.raises(BadInput, match="there is no run ''"):
        runs.find("")
