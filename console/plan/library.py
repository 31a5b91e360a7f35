"""The scenarios at hand: the shipped ones, the inventory's own, the user's own; by name or by file."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

import console
from console.errors import BadInput, near_match
from console.plan.inventory import Inventory
from console.plan.scenario import Scenario, load_scenario

ENDINGS = (".yaml", ".yml")


def shipped() -> Path:
    """The folder of the shipped scenarios: inside an installed package, else beside it in the repository."""
    package = Path(console.__file__).parent
    installed = package / "_scenarios"
    return installed if installed.is_dir() else package.parent / "scenarios"


def folders(inventory: Inventory | None) -> list[Path]:
    """Where scenarios are looked for, in this order."""
    own = [Path(inventory.scenarios)] if inventory and inventory.scenarios else []
    return [shipped(), *own, platformdirs.user_config_path("gameday") / "scenarios"]


def all_files(inventory: Inventory | None) -> list[Path]:
    """Every scenario file, readable or not, the shipped ones first, by name."""
    return [
        file
        for folder in folders(inventory)
        if folder.is_dir()
        for file in sorted(folder.iterdir())
        if file.suffix in ENDINGS and not file.name.startswith(".")
    ]


def find(name: str, inventory: Inventory | None) -> Path:
    """The file of the scenario that is called so, or that this path means.

    Raises:
        BadInput: there is none, or more than one.
    """
    if "/" in name or name.endswith(ENDINGS):
        return Path(os.path.expanduser(name))  # unlike Path.expanduser it raises nothing for an unknown user's home
    files = all_files(inventory)
    fitting = [file for file in files if file.stem == name] or [file for file in files if _called(file) == name]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise BadInput(f"scenario '{name}' is there more than once, name the file: {', '.join(map(str, fitting))}")
    known = [file.stem for file in files]
    hint = near_match(name, known) or f"; there are {', '.join(sorted(known)) or 'none'}"
    raise BadInput(f"there is no scenario '{name[:80]}'{hint}")


def suite(name: str, inventory: Inventory | None) -> list[str]:
    """The scenarios of a suite, each as `find` understands it; `all` is every scenario that is in some suite.

    Raises:
        BadInput: no scenario is in that suite, or a scenario cannot be understood: nobody knows its suites.
    """
    scenarios = [(file, load_scenario(file)) for file in all_files(inventory)]
    known = {word for _, scenario in scenarios for word in scenario.suites}
    members = [
        str(file) for file, scenario in scenarios if name in scenario.suites or (name == "all" and scenario.suites)
    ]
    if not members:
        raise BadInput(f"there is no suite '{name[:80]}'{near_match(name, {*known, 'all'})}")
    return members


def trouble(file: Path) -> str:
    """Why the scenario in `file` is broken, in one sentence with file and line; empty: it is good."""
    try:
        scenario = load_scenario(file)
        runbook_of(scenario, file)
    except BadInput as error:
        return str(error)
    return ""


def runbook_of(scenario: Scenario, file: Path) -> Path | None:
    """The runbook's file, or None where the scenario names none.

    Raises:
        BadInput: the scenario names one that is not there.
    """
    if not scenario.runbook:
        return None
    runbook = file.parent / scenario.runbook
    if not runbook.is_file():
        raise BadInput(f"its runbook {scenario.runbook} is not there", file=file, line=1)
    return runbook


def _called(file: Path) -> str:
    try:
        return load_scenario(file).name
    except BadInput:
        return ""
