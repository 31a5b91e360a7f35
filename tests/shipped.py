"""The shipped scenarios, read once for all tests of a process."""

from __future__ import annotations

from console.plan import library
from console.plan.scenario import load_scenario

SCENARIOS = {file.stem: load_scenario(file) for file in library.all_files(None)}


def members(*suites: str) -> list[str]:
    """The names of all in these suites."""
    return [name for suite in suites for name, scenario in SCENARIOS.items() if suite in scenario.suites]
