"""The rooms stand only on rooms below them, and nothing heavy is loaded before it is needed."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

import console

ROOT = Path(__file__).parents[2]
SCREENS_OR_LABS = ("console.tui", "console.lab", "console.cli")


def loaded_after_importing(modules: list[str], watched: set[str]) -> set[str]:
    """Which of `watched` a fresh interpreter holds after importing `modules`."""
    script = f"import sys, importlib; [importlib.import_module(m) for m in {modules!r}]; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return watched & set(done.stdout.split())


def test_rooms_import_only_rooms_below_them() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_core_never_sees_the_screen() -> None:
    found = [module.name for module in pkgutil.walk_packages(console.__path__, "console.")]
    core = [name for name in found if not name.startswith((*SCREENS_OR_LABS, "console.__main__"))]
    assert "console.terms" in core
    assert loaded_after_importing(core, {"textual"}) == set()


def test_the_command_line_starts_without_anything_heavy() -> None:
    assert loaded_after_importing(["console.cli"], {"textual", "asyncssh", "psycopg", "plotext"}) == set()
