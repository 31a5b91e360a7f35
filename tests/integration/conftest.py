"""One embedded lab for all integration tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.sites import site, systemd
from tests.lab import Lab, lab_in

__all__ = ["lab", "site", "systemd"]


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A running lab with a lease of 3 s."""
    with lab_in(tmp_path_factory.mktemp("lab")) as running:
        yield running
