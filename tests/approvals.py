"""Plans with the approval that their risk asks for, signed with a lab's own keys."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.lab import Lab

SIGNERS = {"low": (), "medium": ("tpm",), "high": ("council-1", "council-2", "council-3")}
"""Who approves what in the labs (requirements, part A: risk and approval)."""


def planned(lab: Lab, scenario: str, *options: str) -> str:
    """The file of a plan of that scenario. `options` go to `gameday plan`."""
    plan = lab.root / f"{Path(scenario).stem}-{time.monotonic_ns()}.json"
    made = lab.inside("plan", scenario, *options, "-o", str(plan))
    assert made.code == 0, str(made)
    return str(plan)


def approved(lab: Lab, scenario: str, *options: str) -> list[str]:
    """A plan, approved as its risk asks, as arguments of `gameday run`. `options` go to `gameday plan`."""
    plan = planned(lab, scenario, *options)
    risk = json.loads(Path(plan).read_text())["scenario"]["risk"]
    arguments = [plan]
    for name in SIGNERS[risk]:
        file, key = f"{plan}.{name}.approval", lab.dir / "keys" / name
        signed = lab.inside("approve", plan, "--as", f"{name}@lab", "--key", str(key), "--yes", "-o", file)
        assert signed.code == 0, str(signed)
        arguments += ["--approval", file]
    return arguments
