"""What holds for all tests."""

from __future__ import annotations

import gc

import pytest

from tests.spread import give_way, spread


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
