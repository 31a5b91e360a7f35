"""One embedded lab for all integration tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.sites import KINDS, site, systemd
from tests.lab import Lab, lab_in

__all__ = ["lab", "site", "systemd"]

collect_ignore = [] if "systemd" in KINDS else ["test_guard_systemd.py", "test_network_partition.py"]


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A running lab with a lease of 3 s."""
    with lab_in(tmp_path_factory.mktemp("lab")) as running:
        yield running
