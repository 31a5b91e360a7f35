"""What is installed is pinned and hashed, and no file says from where."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted(ROOT.glob("requirements*.txt"))
INDEX = re.compile(r"index-url|find-links|trusted-host|://[^\s'\"]*/simple|file://|pypi", re.IGNORECASE)


def requirements(lock: Path) -> dict[str, str]:
    """Name -> the requirement's whole text, with its hashes."""
    text = lock.read_text().replace("\\\n", "")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {re.split(r"[=\s\[]", line, maxsplit=1)[0]: line for line in lines}


def wanted(*, dev: bool) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked: list[str] = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    if dev:
        asked += project["project"]["optional-dependencies"]["dev"]
    return {re.split(r"[^A-Za-z0-9_.-]", name, maxsplit=1)[0].lower() for name in asked}


@pytest.mark.parametrize(
    "file",
    [*LOCKS, *(ROOT / name for name in ("pyproject.toml", "Makefile", ".ci/run", ".ci/setup"))],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_no_file_of_the_setup_names_an_index(file: Path) -> None:
    assert not INDEX.findall(file.read_text())


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_requirement_is_exact_and_hashed(lock: Path) -> None:
    loose = [
        name
        for name, text in requirements(lock).items()
        if not re.match(r"[a-z0-9-]+==[^\s;]+ (; [^\\]+?)?\s*--hash=sha256:[0-9a-f]{64}", text)
    ]
    assert not loose


def test_the_locks_hold_all_that_the_project_asks_for() -> None:
    assert wanted(dev=False) <= set(requirements(ROOT / "requirements.txt"))
    assert wanted(dev=True) <= set(requirements(ROOT / "requirements-dev.txt"))


def test_the_tests_run_on_the_same_versions_as_the_console() -> None:
    def pinned(lock: str) -> dict[str, str]:
        """Versions and hashes; the tests may want a package on more machines than the console does."""
        return {name: re.sub(r";.*?(?=--hash)", "", text) for name, text in requirements(ROOT / lock).items()}

    assert pinned("requirements.txt").items() <= pinned("requirements-dev.txt").items()
