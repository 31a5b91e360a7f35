"""What holds for all tests."""

from __future__ import annotations

import gc
import os
import sys

import pytest

from tests.spread import give_way, spread

IN_CI = os.environ.get("CI") == "true"


def pytest_configure() -> None:
    """Elsewhere what needs machines is left out for want of root; where the project is judged nothing is."""
    if IN_CI and not (sys.platform == "linux" and os.geteuid() == 0):
        raise pytest.UsageError("CI has to run as root on Linux: else the tests on real machines would be missing")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """There a skipped test is a failed one."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter and IN_CI else []
    if skipped:
        print(f"\n{len(skipped)} skipped, which CI does not allow: {', '.join(sorted(r.nodeid for r in skipped))}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_collection_finish() -> None:
    """Let the collector pass over what lives as long as the tests do: two thousand of them and all that they import."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # most of what screens and runs leave behind is free without it


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share a lab go to the same worker: xdist looks at their marks in this hook too."""
    spread(items)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """The labs' tests wait for the clock: screens give way to them."""
    give_way(item.path)
