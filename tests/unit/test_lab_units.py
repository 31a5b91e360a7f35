"""The lab's unit files, ports and folder, without a lab."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from console.errors import BadInput
from console.lab.fleet import FLEET, port_names
from console.lab.ports import reserve
from console.lab.processes import marked
from console.lab.remains import check_folder
from console.lab.unit_file import UnitError, parse_unit
from console.lab.unit_state import UnitState
from console.lab.units import unit_text

TEXT = """
[Service]
# a comment
ExecStart=/bin/sh -c "sleep 1" \\
  --more
Environment=A=1 "B=two words"
Environment=C=3
Restart=on-failure
RestartSec=1min 500ms
SuccessExitStatus=75 SIGUSR1
Nonsense=ignored
"""


def test_a_unit_file_is_read_as_systemd_reads_it() -> None:
    unit = parse_unit("a.service", TEXT)
    assert unit.exec_start == ("/bin/sh", "-c", "sleep 1", "--more")
    assert unit.environment == {"A": "1", "B": "two words", "C": "3"}
    assert unit.restart_s == 60.5
    assert (unit.start_limit_burst, unit.start_limit_interval_s) == (5, 10.0)


@pytest.mark.parametrize(
    "text", ["", "ExecStart=\n", "ExecStart=x\nRestartSec=soon\n", "ExecStart=x\nKillSignal=LOUD\n"]
)
def test_a_unit_file_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(UnitError, match=r"^a\.service: "):
        parse_unit("a.service", text)


@pytest.mark.parametrize(
    ("restart", "code", "again"),
    [
        ("always", 0, True),
        ("always", -signal.SIGTERM, True),
        ("on-failure", -signal.SIGTERM, False),
        ("on-failure", -signal.SIGKILL, True),
        ("on-failure", 1, True),
        ("on-failure", 75, False),
        ("on-failure", -signal.SIGUSR1, False),
        ("no", 1, False),
    ],
)
def test_restart_covers_the_ends_that_systemd_says(restart: str, code: int, again: bool) -> None:
    unit = parse_unit("a.service", TEXT.replace("on-failure", restart))
    assert unit.restarts_after(code) is again


def test_stamps_show_when_a_unit_left_and_entered_its_states() -> None:
    state = UnitState()
    state.enter("active", "running", 1.0)
    state.enter("inactive", "dead", 2.0)
    state.enter("activating", "auto-restart", 2.5)
    state.enter("active", "running", 3.0)
    assert state.stamps == {
        "InactiveExit": 2.5,
        "ActiveEnter": 3.0,
        "ActiveExit": 2.0,
        "InactiveEnter": 2.0,
        "StateChange": 3.0,
    }


def test_a_stamp_that_never_was_is_zero() -> None:
    shown = UnitState().show(parse_unit("a.service", "ExecStart=x"), 0).splitlines()
    assert "ActiveEnterTimestampMonotonic=0" in shown
    assert "ActiveEnterTimestamp=" in shown


def test_every_service_of_the_fleet_has_a_unit_file_that_reads_back() -> None:
    for service in (service for node in FLEET for service in node.services):
        unit = parse_unit(service.unit, unit_text(service, ["run", "a b"], {"KEY": "a value"}))
        assert (unit.exec_start, unit.environment) == (("run", "a b"), {"KEY": "a value"})
        assert (unit.restart, unit.restart_s) == (service.restart, service.restart_s)


def test_a_reserved_port_can_be_served_again_and_again_by_its_owner() -> None:
    ports = reserve(port_names())
    assert len(set(ports.numbers.values())) == len(port_names())
    for _ in range(2):
        with socket.create_server(("127.0.0.1", ports.numbers["llm-gateway"])):
            pass
    ports.release()


def test_a_folder_with_something_else_in_it_never_becomes_a_lab(tmp_path: Path) -> None:
    check_folder(tmp_path)
    check_folder(tmp_path / "new")
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(BadInput, match="neither empty nor a lab"):
        check_folder(tmp_path)


def test_no_process_carries_the_mark_of_a_lab_that_never_was() -> None:
    assert marked("no-such-lab") == []
