"""The token for an application's own endpoints, and which faults are for development and test only."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from console.faults import AnyFault
from console.faults.base import Scripts
from console.faults.component import ComponentFault
from console.nodes.proof import NotArmed
from console.nodes.scripts import prepare
from console.nodes.token import read_token

SCRIPTS = Scripts(inject="a", effect="b", revert="c", clean="d")


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [
        ("s3cr3t-t0ken", 0o640, "others may read it: chmod 600"),
        ("two words are none", 0o600, "holds no token"),
        ('quote"quote', 0o600, "holds no token"),
        ("tiny", 0o600, "holds no token"),
    ],
)
def test_a_token_is_for_its_owner_and_means_nothing_to_a_shell(tmp_path: Path, text: str, mode: int, why: str) -> None:
    file = tmp_path / "secret"
    file.write_text(text)
    file.chmod(mode)
    with pytest.raises(NotArmed, match=why) as refused:
        read_token(file)
    assert text not in str(refused.value)
    file.write_text("s3cr3t-t0ken\n")
    file.chmod(0o600)
    assert read_token(file) == "s3cr3t-t0ken"


def test_a_token_is_written_into_memory_alone_after_what_is_kept_on_a_disk() -> None:
    program = prepare("/run/x", "r", "shell", {}, [SCRIPTS], undo_dir="/u", keep_undo=True, tokens={1: "s3cr3t-t0ken"})
    assert program.count("s3cr3t-t0ken") == 1
    assert program.index("\nkeep_undo\n") < program.index("s3cr3t-t0ken")


def test_faults_in_a_component_are_for_development_and_test_only() -> None:
    found = [fault for fault in get_args(AnyFault) if issubclass(fault, ComponentFault)]
    assert len(found) == 3
    assert all(fault.development_only for fault in found)
