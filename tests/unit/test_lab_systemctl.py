"""The systemctl shim, run by /bin/sh on state files as a supervisor writes them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from console.lab import systemctl
from console.lab.layout import NodeLayout
from console.lab.unit_file import parse_unit
from console.lab.unit_state import UnitState


@pytest.fixture
def node(tmp_path: Path) -> NodeLayout:
    layout = NodeLayout(tmp_path / "it's a node")
    layout.make()
    systemctl.install(layout)
    for name, active in (("up", "active"), ("down", "inactive"), ("broken", "failed")):
        state = UnitState(active=active, sub="x", n_restarts=2)
        unit = parse_unit(f"{name}.service", "ExecStart=/bin/true")
        (layout.state / unit.name).write_text(state.show(unit, 42))
    return layout


def run(node: NodeLayout, *arguments: str) -> tuple[int, str]:
    done = subprocess.run([node.bin / "systemctl", *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_show_prints_the_wanted_properties_with_a_blank_line_between_units(node: NodeLayout) -> None:
    code, out = run(node, "show", "up", "down.service", "-p", "Id", "-p", "ActiveState,NRestarts", "--property=MainPID")
    assert code == 0
    assert [sorted(block.splitlines()) for block in out.split("\n\n")] == [
        ["ActiveState=active", "Id=up.service", "MainPID=42", "NRestarts=2"],
        ["ActiveState=inactive", "Id=down.service", "MainPID=42", "NRestarts=2"],
    ]


def test_show_without_names_of_properties_prints_all(node: NodeLayout) -> None:
    assert run(node, "show", "up")[1] == (node.state / "up.service").read_text()


def test_show_value_prints_the_value_alone(node: NodeLayout) -> None:
    assert run(node, "show", "up", "-p", "NRestarts", "--value") == (0, "2\n")


def test_an_unknown_unit_is_shown_as_not_found(node: NodeLayout) -> None:
    assert run(node, "show", "nix", "-p", "Id,LoadState") == (0, "Id=nix.service\nLoadState=not-found\n")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("is-active", "up"), (0, "active\n")),
        (("is-active", "down"), (3, "inactive\n")),
        (("is-active", "nix"), (4, "inactive\n")),
        (("is-active", "down", "up"), (0, "inactive\nactive\n")),
        (("is-active", "-q", "broken"), (3, "")),
        (("is-failed", "broken"), (0, "failed\n")),
        (("is-failed", "up"), (1, "active\n")),
    ],
)
def test_questions_end_with_the_exit_codes_of_systemctl(
    node: NodeLayout, arguments: tuple[str, ...], expected: tuple[int, str]
) -> None:
    assert run(node, *arguments) == expected


def test_status_of_an_unknown_unit_is_exit_code_4(node: NodeLayout) -> None:
    assert run(node, "status", "nix")[0] == 4


def test_an_unknown_verb_is_refused(node: NodeLayout) -> None:
    assert run(node, "destroy", "up")[0] == 1
