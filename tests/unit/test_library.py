"""Scenarios are found by name or by file, and a broken one is shown, not hidden."""

from __future__ import annotations

from pathlib import Path

import msgspec
import platformdirs
import pytest

from console.errors import BadInput
from console.plan import library
from console.plan.inventory import Inventory, Node

SCENARIO = """\
name: {name}
title: A title
category: service
risk: low
purpose: p
hypothesis: h
rollback: r
suites: [{suites}]
"""


def write(folder: Path, name: str, suites: str = "", more: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.yaml"
    file.write_text(SCENARIO.format(name=name, suites=suites) + more)
    return file


@pytest.fixture(autouse=True)
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of shipped scenarios and a user without own ones."""
    folder = tmp_path / "shipped"
    monkeypatch.setattr(library, "shipped", lambda: folder)
    monkeypatch.setattr(platformdirs, "user_config_path", lambda name: tmp_path / "config" / name)
    return folder


def inventory(folder: Path) -> Inventory:
    return Inventory(version=1, name="lab", nodes={"redfin": Node(address="127.0.0.1")}, scenarios=str(folder))


def test_a_scenario_is_found_in_each_of_the_three_folders(shipped: Path, tmp_path: Path) -> None:
    files = [
        write(shipped, "a"),
        write(tmp_path / "own", "b"),
        write(tmp_path / "config" / "gameday" / "scenarios", "c"),
    ]
    known = inventory(tmp_path / "own")
    assert [library.find(name, known) for name in "abc"] == files
    assert library.all_files(known) == files
    assert library.all_files(None) == [files[0], files[2]]


def test_a_scenario_is_found_by_its_own_name_too(shipped: Path) -> None:
    renamed = write(shipped, "a").rename(shipped / "other.yaml")
    assert library.find("a", None) == renamed


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    file = write(tmp_path / "anywhere", "a")
    assert library.find(str(file), None) == file
    assert library.find("a.yaml", None) == Path("a.yaml")


def test_an_unknown_name_gives_the_near_match_or_what_there_is(shipped: Path) -> None:
    write(shipped, "llm-gateway-kill")
    with pytest.raises(BadInput, match="did you mean 'llm-gateway-kill'"):
        library.find("llm-gateway-kil", None)
    with pytest.raises(BadInput, match="there are llm-gateway-kill"):
        library.find("zzz", None)


def test_a_name_that_is_there_twice_is_refused(shipped: Path, tmp_path: Path) -> None:
    write(shipped, "a")
    write(tmp_path / "own", "a")
    with pytest.raises(BadInput, match="more than once, name the file"):
        library.find("a", inventory(tmp_path / "own"))


def test_a_broken_scenario_is_found_by_its_file_name_and_listed(shipped: Path) -> None:
    file = write(shipped, "a", more="expct: 1\n")
    assert library.find("a", None) == file
    assert library.all_files(None) == [file]
    assert "a.yaml:9: unknown key 'expct'" in library.trouble(file)


def test_a_runbook_that_is_not_there_is_trouble(shipped: Path) -> None:
    file = write(shipped, "a", more="runbook: runbooks/a.md\n")
    assert "its runbook runbooks/a.md is not there" in library.trouble(file)
    (shipped / "runbooks").mkdir()
    (shipped / "runbooks" / "a.md").write_text("# A")
    assert library.trouble(file) == ""


def test_a_suite_is_the_scenarios_that_name_it_and_all_is_every_suite(shipped: Path) -> None:
    a, b, _ = write(shipped, "a", "gateway"), write(shipped, "b", "services"), write(shipped, "c")
    assert library.suite("gateway", None) == [str(a)]
    assert library.suite("all", None) == [str(a), str(b)]
    with pytest.raises(BadInput, match="no suite 'gatewy', did you mean 'gateway'"):
        library.suite("gatewy", None)


def test_no_suite_is_run_while_a_scenario_is_broken(shipped: Path) -> None:
    write(shipped, "a", "gateway")
    write(shipped, "b", more="expct: 1\n")
    with pytest.raises(BadInput, match="expct"):
        library.suite("gateway", None)


def test_hidden_files_and_other_files_are_no_scenarios(shipped: Path) -> None:
    write(shipped, ".a")
    (shipped / "notes.md").write_text("x")
    assert library.all_files(msgspec.structs.replace(inventory(shipped / "none"), scenarios="")) == []
