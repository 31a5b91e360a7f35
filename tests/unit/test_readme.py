"""The README says what is so: its keys, its commands and its pictures are those of the console."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from console.cli import main
from console.plan.scenario import load_scenario
from console.tui.keys import key_table

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PICTURES = re.findall(r"!\[[^]]+\]\(([^)]+)\)", README)


def keys_as_markdown() -> str:
    """The table between the README's marks; a row says where only when that is new."""
    lines = ["| where | key | what it does |", "|---|---|---|"]
    before = ""
    for where, key, what in key_table():
        keys = " or ".join(f"`{each}`" for each in key.split(" or "))
        lines.append(f"| {where if where != before else ''} | {keys} | {what} |")
        before = where
    return "\n".join(lines)


def command_lines() -> Iterator[str]:
    """Every `gameday ...` of the README: lines of code, code in the text, and rows of tables with their options."""
    for line in README.splitlines():
        code = [line.strip().partition(" #")[0]] if line.startswith("    ") else re.findall(r"`([^`]+)`", line)
        options = " ".join(word for word in code if word.startswith("--")) if line.startswith("|") else ""
        for word in code:
            if re.match(r"gameday\b", word):
                yield f"{word} {options}".strip()


def commands_of(line: str) -> tuple[list[click.Command], list[str]]:
    """The commands that the words name, `a|b` being two, and the options that follow."""
    words = line.replace("\\|", "|").replace("[", "").replace("]", "").split()[1:]
    reached: list[click.Command] = [main]
    for word in words:
        group = reached[0]
        if not isinstance(group, click.Group) or word.startswith("-"):
            break
        found = {name: group.get_command(click.Context(group), name) for name in word.split("|")}
        assert all(found.values()), f"`{line}`: there is no command {word}"
        reached = [command for command in found.values() if command]
    return reached, [word for word in words if word.startswith("--")]


def test_the_key_table_is_that_of_the_bindings() -> None:
    table = README.partition("<!-- keys -->\n")[2].partition("\n<!-- /keys -->")[0]
    assert table.strip() == keys_as_markdown()


@pytest.mark.parametrize("line", sorted(set(command_lines())))
def test_every_command_exists_with_its_options(line: str) -> None:
    commands, options = commands_of(line)
    for option in options:
        assert any(option in parameter.opts for command in commands for parameter in command.params), (line, option)


def test_every_experiment_is_in_the_table_with_its_risk() -> None:
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (low|medium|high) \|", README, re.MULTILINE))
    shipped = {file.stem: load_scenario(file) for file in (ROOT / "scenarios").glob("*.yaml")}
    assert rows == {name: shipped[name].risk.value for name in rows}
    assert [name for name, scenario in shipped.items() if scenario.method and f"`{name}`" not in README] == []


def test_pictures_are_shown_and_are_there() -> None:
    assert PICTURES
    assert [picture for picture in PICTURES if not (ROOT / picture).is_file()] == []
