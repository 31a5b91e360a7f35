"""Broken inputs on the command line: exit 2, one line on stderr, and no connection is made."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from console.cli import main

from .test_broken_inputs import APPROVALS, HERE, PLANS, SENTENCES, WHOLE_INVENTORY, WHOLE_SCENARIO, plan_json

EXIT_BAD_INPUT = 2
ROOT = Path(__file__).parents[2]


@pytest.fixture
def port() -> Iterator[int]:
    """A node's SSH port that listens, and on which nobody may have knocked by the end of the test."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server.getsockname()[1]
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.fixture
def place(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the whole inventory, its node listening; the user's own folders are empty ones."""
    for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    monkeypatch.delenv("GAMEDAY_INVENTORY", raising=False)
    listening(WHOLE_INVENTORY, tmp_path / "inventory.yaml", port)
    return tmp_path


def listening(source: Path, copy: Path, port: int) -> Path:
    """A copy, byte for byte but for the port."""
    copy.write_bytes(source.read_bytes().replace(b"port: 2222", b"port: %d" % port))
    return copy


def gameday(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def assert_refused(result: Result, *, sentence: str) -> None:
    assert result.stderr == f"gameday: {sentence}\n"
    assert result.stdout == ""
    assert result.exit_code == EXIT_BAD_INPUT


def named(kind: str) -> list[str]:
    return sorted(name for name in SENTENCES if name.startswith(f"{kind}/"))


@pytest.mark.parametrize("name", named("inventory"))
def test_a_broken_inventory_ends_a_run_before_it_begins(name: str, place: Path, port: int) -> None:
    broken = listening(HERE / name, place / "broken.yaml", port)
    result = gameday("run", WHOLE_SCENARIO, "--inventory", broken, "--attest", "all")
    assert_refused(result, sentence=SENTENCES[name].replace(name, str(broken), 1))


@pytest.mark.parametrize("name", [*named("scenario"), *named("names")])
def test_a_broken_scenario_ends_a_run_before_it_begins(name: str, place: Path) -> None:
    result = gameday("run", HERE / name, "--inventory", place / "inventory.yaml", "--attest", "all", "--json")
    assert_refused(result, sentence=f"{HERE}/{SENTENCES[name]}")


@pytest.mark.parametrize("name", named("names"))
def test_a_name_that_the_inventory_lacks_ends_a_plan(name: str, place: Path) -> None:
    result = gameday("plan", HERE / name, "--inventory", place / "inventory.yaml")
    assert_refused(result, sentence=f"{HERE}/{SENTENCES[name]}")


def test_checking_all_broken_scenarios_tells_of_each(place: Path) -> None:
    names = named("scenario")
    result = gameday("scenarios", "check", *(HERE / name for name in names), "--inventory", place / "inventory.yaml")
    assert result.exit_code == EXIT_BAD_INPUT
    assert result.stderr.splitlines() == [f"gameday: {HERE}/{SENTENCES[name]}" for name in names]


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("run", "gateway"),
        ("plan", "gateway"),
        ("sweep",),
        ("sweep", "--revert"),
        ("doctor",),
        ("scenarios", "list"),
        ("scenarios", "show", "gateway"),
    ],
    ids=" ".join,
)
def test_every_command_refuses_a_broken_inventory_alike(words: tuple[str, ...], place: Path, port: int) -> None:
    name = "inventory/missing-node.yaml"
    broken = listening(HERE / name, place / "broken.yaml", port)
    assert_refused(gameday("--inventory", broken, *words), sentence=SENTENCES[name].replace(name, str(broken), 1))


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("command", ["run", "verify", "approve"])
def test_a_broken_plan_file_is_neither_run_nor_signed(command: str, name: str, place: Path) -> None:
    file = place / "plan.json"
    file.write_bytes(PLANS[name][0]())
    result = gameday(command, file, "--inventory", place / "inventory.yaml")
    assert_bad_json(result, file, PLANS[name][1])


@pytest.mark.parametrize("name", APPROVALS)
@pytest.mark.parametrize("command", ["run", "verify"])
def test_a_broken_approval_is_not_counted(command: str, name: str, place: Path) -> None:
    plan_file, file = place / "plan.json", place / "broken.approval"
    plan_file.write_text(json.dumps(plan_json()))
    file.write_bytes(APPROVALS[name][0]())
    option = ["--approval", file] if command == "run" else [file]
    result = gameday(command, plan_file, *option, "--inventory", place / "inventory.yaml")
    assert_bad_json(result, file, APPROVALS[name][1])


def assert_bad_json(result: Result, file: Path, says: str) -> None:
    assert result.stderr.startswith(f"gameday: {file}:1: ")
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.exit_code == EXIT_BAD_INPUT


@pytest.mark.parametrize(
    "words",
    [("run", "~nobody-of-this-name/x.yaml"), ("run", "nowhere.json"), ("run", "x" * 300), ("run", "suite:none")],
    ids=["home", "plan", "long", "suite"],
)
def test_a_name_that_is_nothing_is_refused_in_one_line(words: tuple[str, str], place: Path) -> None:
    result = gameday(*words, "--inventory", place / "inventory.yaml")
    assert result.stderr.count("\n") == 1
    assert result.exit_code == EXIT_BAD_INPUT


@pytest.mark.parametrize("name", ["inventory/bomb.yaml", "inventory/utf-16.yaml", "inventory/unknown-key.yaml"])
def test_a_real_process_says_the_same(name: str, place: Path) -> None:
    command = [sys.executable, "-m", "console", "run", str(WHOLE_SCENARIO), "--inventory", str(HERE / name)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (EXIT_BAD_INPUT, "", f"gameday: {HERE}/{SENTENCES[name]}\n")


@pytest.mark.parametrize(
    ("flag", "told", "sentence"),
    [
        ("--attest", "allx", "--attest allx: there is no such item or expectation here, did you mean 'all'?"),
        ("--attest", "bakups-current", "--attest bakups-current: there is no such item or expectation here, "
         "did you mean 'backups-current'?"),
        ("--override", "baclups-current=x", "--override baclups-current: there is no such item or expectation here, "
         "did you mean 'backups-current'?"),
    ],
)  # fmt: skip
def test_an_answer_to_what_nobody_asks_is_refused(place: Path, flag: str, told: str, sentence: str) -> None:
    result = gameday("run", WHOLE_SCENARIO, "--inventory", place / "inventory.yaml", flag, told)
    assert_refused(result, sentence=sentence)
