"""What tests of the embedded lab itself look at: its facts, its processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from console.lab.layout import LabLayout
from console.lab.remains import Facts, read_facts


def until(true: Callable[[], Any], limit_s: float = 20.0) -> Any:
    """Wait until something is true, and give it back."""
    deadline = time.monotonic() + limit_s
    while not (value := true()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return value


def facts(lab: LabLayout) -> Facts:
    found = read_facts(lab)
    assert found
    return found


def postgres_of(lab: LabLayout) -> list[str]:
    """The postgres processes of that lab: they overwrite their environment, and with it the mark."""
    found = []
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(proc / "cwd") == str(lab.pgdata):
                found.append(proc.name)
        except OSError:
            continue
    return found


def outside(lab: LabLayout, port: str) -> bool:
    """Whether that port of the lab is one of this machine's."""
    return bool(facts(lab).shared) or port.startswith("ssh.")
