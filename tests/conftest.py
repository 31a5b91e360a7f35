"""What holds for all tests."""

from __future__ import annotations

import gc


def pytest_collection_finish() -> None:
    """Let the collector pass over what lives as long as the tests do: two thousand of them and all that they import."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # most of what screens and runs leave behind is free without it
