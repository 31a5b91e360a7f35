"""The command line: one sentence and an exit code for every failure, and no word of it costs an import too many."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import platformdirs
import pytest
from click.testing import CliRunner, Result

from console.cli import COMMANDS, main
from console.errors import BadInput, GamedayError, NodeUnreachable, Refused
from console.plan import library
from console.record import journal, runs
from console.record.lines import encode
from console.record.outbox import Outbox
from console.record.runs import outbox_home
from console.record.writeup import WriteUp
from tests.unit.runs import T0, passed_events

BROKEN = Path(__file__).parent / "broken"
ROW = WriteUp(hash="CHAOS-TEST-A-1-b", content="Chaos test PASS\nmore", stage="FRESH", temperature=85.0, sacred=False)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with nothing of their own."""
    for name in ("HOME", "GAMEDAY_STATE"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.delenv("GAMEDAY_INVENTORY", raising=False)
    monkeypatch.setattr(platformdirs, "user_config_path", lambda name: tmp_path / "config" / name)
    return tmp_path


@pytest.fixture
def lab(home: Path) -> Path:
    """An inventory with a TPM and an operator who have keys."""
    lines = []
    for name in ("operator", "tpm"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / name], check=True)
        lines.append(f'{name}@lab namespaces="gameday-approval@1" {(home / f"{name}.pub").read_text()}')
    (home / "allowed_signers").write_text("".join(lines))
    (home / "inbox").mkdir()
    (home / "inventory.yaml").write_text(
        (BROKEN / "whole-inventory.yaml").read_text()
        + "approvals:\n  allowed_signers: allowed_signers\n  inbox: inbox\n  operator: operator@lab\n"
        + "  operator_key: operator\n  roles:\n    tpm: [tpm@lab]\n"
    )
    scenario = (BROKEN / "whole-scenario.yaml").read_text().replace("risk: low", "risk: medium")
    (home / "gateway.yaml").write_text(scenario)
    return home / "inventory.yaml"


def gameday(*words: object, code: int = 0) -> Result:
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def broken() -> None:
        raise error

    monkeypatch.setattr(library, "all_files", lambda _: broken())


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput("no good", file="x.yaml", line=3), 2),
        (Refused("no"), 3),
        (NodeUnreachable("bluefin\n is gone"), 3),
        (GamedayError("no"), 3),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_is_one_line_on_stderr(monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int) -> None:
    fail_with(monkeypatch, error)
    result = gameday("scenarios", "check", code=code)
    lines = result.stderr.strip().splitlines()
    assert lines == [f"gameday: {' '.join(str(error).split()) or 'interrupted'}"]
    assert result.stdout == ""


def test_a_fault_of_the_console_is_one_sentence_and_its_traceback_is_kept(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    fail_with(monkeypatch, ZeroDivisionError("what"))
    result = gameday("scenarios", "check", code=70)
    assert result.stderr.startswith("gameday: the console itself failed (ZeroDivisionError: what); its traceback is in")
    (note,) = (home / "gameday_state" / "crashes").iterdir()
    assert "ZeroDivisionError: what" in note.read_text()
    assert str(note) in result.stderr


def test_a_crash_is_told_even_where_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path / "file" / "x"))
    fail_with(monkeypatch, ZeroDivisionError("what"))
    assert "could not be kept" in gameday("scenarios", "check", code=70).stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["scenarois"], "there is no command 'scenarois', did you mean 'scenarios'?"),
        (["runs", "shw"], "No such command 'shw'."),
        (["plan"], "Missing argument 'SCENARIO'."),
        (["plan", "x", "--bogus"], "No such option"),
        (["approve", "x", "--vote", "maybe"], "Invalid value for '--vote'"),
    ],
)
def test_a_wrong_word_is_one_line_and_exit_2(words: list[str], told: str) -> None:
    lines = gameday(*words, code=2).stderr.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"gameday: {told}")


def test_help_names_every_command_and_imports_none_of_them() -> None:
    script = "import sys; from console.cli import main\ntry: main(['--help'])\nexcept SystemExit: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    text, _, modules = done.stdout.rstrip().rpartition("\n")
    assert all(f"  {name} " in text for name in COMMANDS)
    loaded = {
        name for name in modules.split() if name.startswith(("console", "msgspec", "yaml", "asyncio", "platformdirs"))
    }
    assert loaded == {"console", "console.cli", "console.cli.lazy"}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_where_the_map_says(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert isinstance(command, click.Command)
    assert command.name == name
    assert command.help


def test_without_an_inventory_the_sentence_suggests_the_demo() -> None:
    assert "run `gameday demo`" in gameday("plan", "x", code=2).stderr


@pytest.mark.parametrize("how", ["option", "before", "variable", "config"])
def test_the_inventory_is_found_in_each_place(how: str, lab: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words: dict[str, list[object]] = {
        "option": ["plan", home / "gateway.yaml", "--inventory", lab],
        "before": ["--inventory", lab, "plan", home / "gateway.yaml"],
    }
    if how == "variable":
        monkeypatch.setenv("GAMEDAY_INVENTORY", str(lab))
    if how == "config":
        (home / "config" / "gameday").mkdir(parents=True)
        lab.rename(home / "config" / "gameday" / "inventory.yaml")
    assert "inventory practice" in gameday(*words.get(how, ["plan", home / "gateway.yaml"])).stdout


def test_a_plan_is_made_signed_and_verified(lab: Path, home: Path) -> None:
    plan = home / "plan.json"
    shown = gameday("plan", home / "gateway.yaml", "-o", plan, "--inventory", lab).stdout
    assert "operator operator@lab" in shown
    assert (
        gameday("verify", plan, "--inventory", lab, code=3).stdout == "✗ not sufficient: missing: 1 of tpm (tpm@lab)\n"
    )
    signed = gameday("approve", plan, "--key", home / "tpm", "--yes", "--inventory", lab).stdout
    assert "blast radius" in signed
    assert "✓ signed 'for' as tpm@lab" in signed
    told = gameday("verify", plan, "--inventory", lab).stdout.splitlines()
    assert told[0].startswith("✓ tpm@lab (tpm) for, until ")
    assert told[1].startswith("✓ sufficient: 1 of 1 tpm: tpm@lab until ")
    (file,) = (home / "inbox").iterdir()
    assert file.stat().st_mode & 0o777 == 0o644
    assert gameday("verify", plan, file, "--inventory", lab).stdout.splitlines() == told


def test_the_key_of_the_ssh_folder_that_fits_is_taken(lab: Path, home: Path) -> None:
    ssh = home / "home" / ".ssh"
    ssh.mkdir(parents=True)
    for name in ("operator", "operator.pub", "tpm", "tpm.pub"):
        (home / name).rename(ssh / name)
    plan = home / "plan.json"
    gameday("plan", home / "gateway.yaml", "-o", plan, "--inventory", lab)
    assert "as tpm@lab" in gameday("approve", plan, "--yes", "--inventory", lab).stdout


def test_a_signature_that_would_not_count_is_not_written(lab: Path, home: Path) -> None:
    plan = home / "plan.json"
    gameday("plan", home / "gateway.yaml", "-o", plan, "--inventory", lab)
    words = ("approve", plan, "--key", home / "operator", "--as", "operator@lab", "--yes", "--inventory", lab)
    assert "the operator cannot approve an own run" in gameday(*words, code=3).stderr
    assert list((home / "inbox").iterdir()) == []


@pytest.mark.parametrize(
    ("word", "other", "why"),
    [
        ('"blast_radius": "', '"blast_radius": "None at all. ', "the blast radius on 'redfin' is not that of"),
        ("set -eu", "set -u", "what is to be run on 'redfin' is not what process-signal does"),
    ],
)
def test_a_plan_whose_words_or_scripts_were_edited_is_not_signed(
    lab: Path, home: Path, word: str, other: str, why: str
) -> None:
    plan = home / "plan.json"
    gameday("plan", home / "gateway.yaml", "-o", plan, "--inventory", lab)
    assert word in plan.read_text()
    plan.write_text(plan.read_text().replace(word, other))
    assert why in gameday("approve", plan, "--key", home / "tpm", "--yes", "--inventory", lab, code=3).stderr
    assert list((home / "inbox").iterdir()) == []


def test_nothing_is_signed_without_a_yes(lab: Path, home: Path) -> None:
    plan = home / "plan.json"
    gameday("plan", home / "gateway.yaml", "-o", plan, "--inventory", lab)
    assert "sign with --yes" in gameday("approve", plan, "--key", home / "tpm", "--inventory", lab, code=2).stderr
    assert list((home / "inbox").iterdir()) == []


def test_an_unknown_key_needs_a_name(lab: Path, home: Path) -> None:
    plan = home / "plan.json"
    gameday("plan", home / "gateway.yaml", "-o", plan, "--inventory", lab)
    told = gameday("approve", plan, "--key", home / "none", "--yes", "--inventory", lab, code=2).stderr
    assert "is not known as the key of a tpm" in told


@pytest.mark.parametrize("text", ["", "5", "0m", "8d", "-1h", "1h30m", "soon"])
def test_a_validity_that_is_no_time_is_refused(lab: Path, home: Path, text: str) -> None:
    plan = home / "plan.json"
    gameday("plan", home / "gateway.yaml", "-o", plan, "--inventory", lab)
    assert "it must be a time like" in gameday("approve", plan, "--for", text, "--inventory", lab, code=2).stderr


def test_a_plan_is_never_overwritten(lab: Path, home: Path) -> None:
    (home / "plan.json").write_text("{}")
    words = ("plan", home / "gateway.yaml", "-o", home / "plan.json", "--inventory", lab)
    assert "never overwritten" in gameday(*words, code=2).stderr


@pytest.fixture
def run_folder() -> Path:
    folder = runs.claim("k7f3abcd")
    (folder / journal.FILE).write_bytes(b"".join(encode(event) + b"\n" for event in passed_events()))
    runs.let_go(folder)
    return folder


def test_an_empty_history_says_so() -> None:
    assert "no runs yet" in gameday("runs", "list").stdout
    assert json.loads(gameday("runs", "list", "--json").stdout) == []


def test_runs_are_listed_with_their_outcome(run_folder: Path) -> None:
    _, line = gameday("runs", "list").stdout.splitlines()
    assert line.startswith("k7f3abcd  ")
    assert "! interrupted" in line
    (row,) = json.loads(gameday("runs", "list", "--json").stdout)
    assert (row["run"], row["outcome"], row["reason"], row["started_at_s"]) == (
        "k7f3abcd",
        "aborted",
        "interrupted",
        T0,
    )


def test_a_run_is_shown_by_the_beginning_of_its_id(run_folder: Path) -> None:
    told = gameday("runs", "show", "k7f").stdout
    for word in (
        "! interrupted",
        "Kill the LLM gateway",
        "✓ met: Health",
        "✓ pass: TPM notified",
        "2.50 s",
        "no write-up",
    ):
        assert word in told
    assert json.loads(gameday("runs", "show", "k7f", "--json").stdout)["run"] == "k7f3abcd"


def test_a_torn_journal_is_shown_with_its_complaint(run_folder: Path) -> None:
    file = run_folder / journal.FILE
    file.write_bytes(file.read_bytes()[:-5])
    result = gameday("runs", "show", "k7f3abcd")
    assert "the last line is torn" in result.stderr
    assert "Kill the LLM gateway" in result.stdout
    assert "the last line is torn" in gameday("runs", "list").stderr


def test_a_run_becomes_a_markdown_report(run_folder: Path, tmp_path: Path) -> None:
    told = gameday("runs", "report", "k7f3abcd").stdout
    assert told.startswith("# Run k7f3abcd: Kill the LLM gateway\n\n## Result\n")
    gameday("runs", "report", "k7f3abcd", "-o", tmp_path / "r.md")
    assert (tmp_path / "r.md").read_text() == told


@pytest.mark.parametrize("command", ["show", "report"])
def test_an_unknown_run_is_bad_input(command: str) -> None:
    assert "there is no run 'zzz'" in gameday("runs", command, "zzz", code=2).stderr


def test_the_outbox_tells_what_waits() -> None:
    assert "nothing waits" in gameday("outbox", "list").stdout
    assert gameday("outbox", "flush").stdout == "0 delivered, 0 still waiting\n"
    Outbox(outbox_home()).put(ROW)
    assert "○ queued CHAOS-TEST-A-1-b: Chaos test PASS\n1 waiting" in gameday("outbox", "list").stdout
    assert json.loads(gameday("outbox", "list", "--json").stdout)[0]["content"] == ROW.content


def test_a_flush_with_nowhere_to_deliver_is_refused(home: Path) -> None:
    Outbox(outbox_home()).put(ROW)
    text = (BROKEN / "whole-inventory.yaml").read_text().partition("thermal_memory:")[0]
    (home / "i.yaml").write_text(text)
    assert "nowhere to deliver to" in gameday("outbox", "flush", "--inventory", home / "i.yaml", code=3).stderr
    assert len(Outbox(outbox_home()).pending()) == 1


@pytest.fixture
def scenarios(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str, str], None]:
    folder = tmp_path / "shipped"
    folder.mkdir()
    monkeypatch.setattr(library, "shipped", lambda: folder)
    whole = (BROKEN / "whole-scenario.yaml").read_text()

    def add(name: str, more: str) -> None:
        (folder / f"{name}.yaml").write_text(whole + more)

    return add


def test_scenarios_are_listed_with_risk_approval_and_suites(scenarios: Callable[[str, str], None], lab: Path) -> None:
    scenarios("gateway", "")
    told = gameday("scenarios", "list").stdout.splitlines()
    assert [line.split() for line in told] == [
        ["name", "risk", "approval", "suites", "title"],
        ["gateway", "low", "none", "-", "The", "gateway", "comes", "back"],
    ]


def test_broken_scenarios_are_one_line_each_and_exit_2(scenarios: Callable[[str, str], None]) -> None:
    scenarios("gateway", "")
    scenarios("one", "expct: 1\n")
    scenarios("two", "expct: 1\n")
    for command in ("check", "list"):
        result = gameday("scenarios", command, code=2)
        assert [line.count("unknown key 'expct'") for line in result.stderr.splitlines()] == [1, 1]
        assert "gateway" in gameday("scenarios", "list", code=2).stdout


def test_good_scenarios_check_with_exit_0(scenarios: Callable[[str, str], None], lab: Path) -> None:
    scenarios("gateway", "")
    assert gameday("scenarios", "check").stdout == "1 of 1 scenarios are good\n"
    assert gameday("scenarios", "check", lab.parent / "gateway.yaml").stdout == "1 of 1 scenarios are good\n"


def test_a_scenario_is_shown_with_its_file(scenarios: Callable[[str, str], None]) -> None:
    scenarios("gateway", "")
    told = gameday("scenarios", "show", "gateway").stdout
    assert told.startswith("name: gateway\n")
    assert told.endswith("gateway.yaml\nrunbook: none\n")
