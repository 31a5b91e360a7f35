"""Rooms of tests share a ring of real keys; what needs mounts is tested as root on Linux, where the build runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from console.terms import Risk
from tests.unit.approvals import Ring, make_keys

ROOT_ON_LINUX = sys.platform == "linux" and os.geteuid() == 0

NEED_MOUNTS = ["test_component_port.py", "test_disk_fill.py", "test_disk_fill_rails.py", "test_stack.py"]

collect_ignore = [] if ROOT_ON_LINUX else NEED_MOUNTS


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    make_keys(folder)
    return folder


@pytest.fixture
def ring(keys: Path, tmp_path: Path) -> Ring:
    return Ring(tmp_path, keys)


@pytest.fixture
def council(ring: Ring) -> Ring:
    ring.risk = Risk.HIGH
    return ring
