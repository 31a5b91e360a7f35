"""One lab of each kind for all integration tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.sites import KINDS, site, systemd
from tests.lab import Lab, lab_in
from tests.systemd_lab import SystemdLab, systemd_lab_in

__all__ = ["lab", "site", "systemd"]

NEED_MACHINES = [
    "test_a_second_console.py",
    "test_chaos_systemd.py",
    "test_components_systemd.py",
    "test_disk_fill.py",
    "test_game_day.py",
    "test_guard_systemd.py",
    "test_hanging_revert.py",
    "test_it_does_not_lie.py",
    "test_lab_monitoring.py",
    "test_lab_systemd.py",
    "test_network_partition.py",
    "test_partition_guarded.py",
    "test_postgres_crash_systemd.py",
    "test_residue.py",
    "test_resources.py",
    "test_store_machines.py",
]
collect_ignore = [] if "systemd" in KINDS else NEED_MACHINES


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A running lab with a lease of 3 s."""
    with lab_in(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="session")
def systemd_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemdLab]:
    """A running systemd lab with a lease of 3 s, one for each worker: it is up in seconds, and tests disturb it."""
    with systemd_lab_in(tmp_path_factory.mktemp("systemd_lab")) as running:
        yield running
