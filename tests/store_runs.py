"""Runs of the stores' scenarios: several by one console, and what is said of each."""

from __future__ import annotations

import json
from typing import Any

from console.plan import library
from tests.approvals import approved
from tests.lab import Done, Lab
from tests.shipped import members

NAMES = members("store", "lightning")
MODES = members("modes")
Result = dict[str, Any]


def run(lab: Lab, *scenarios: str, hold_s: float = 6) -> tuple[Done, dict[str, Result]]:
    """One console runs them all, one after the other, held for so long where they are held; scenario -> result."""
    words: list[str] = []
    for scenario in scenarios:  # names or files
        held = "hold_s" in library.find(scenario, None).read_text()
        words += approved(lab, scenario, *(("--set", f"hold_s={hold_s:g}") if held else ()))
    done = lab.run(*words, limit_s=300)
    lines = [json.loads(line) for line in done.out.splitlines() if line.startswith('{"run"')]
    return done, {line["scenario"]: line for line in lines}


def observed(result: Result) -> dict[str, tuple[str, str]]:
    """Expectation -> outcome and what was seen."""
    return {item["id"]: (item["outcome"], item["observed"]) for item in result["expectations"]}


def modes_passed(done: Done, results: dict[str, Result]) -> None:
    """All four, each with every expectation met and the rate achieved told."""
    assert set(results) == set(MODES), str(done)
    for name, result in results.items():
        assert (result["outcome"], result["effect_proven"], result["revert_proven"]) == ("passed", True, True), result
        assert {item["outcome"] for item in result["expectations"]} == {"pass"}, (name, observed(result))


def all_passed(done: Done, results: dict[str, Result]) -> None:
    """All seven, each with every expectation met, and with the store's own words where these count."""
    assert set(results) == set(NAMES), str(done)
    for name, result in results.items():
        assert (result["outcome"], result["revert_proven"]) == ("passed", True), (name, result)
        assert {item["outcome"] for item in result["expectations"]} == {"pass"}, (name, observed(result))
    assert "is full: free space on its disk" in observed(results["sigil-disk-full"])["refuses"][1]
    assert "is full: free space on its disk" in observed(results["lightning-disk-full"])["refuses"][1]
    assert "not mounted; mount it" in observed(results["sigil-store-unmounted"])["refuses"][1]
    assert "(EROFS)" in observed(results["sigil-read-only-filesystem"])["refuses"][1]
    assert "(EACCES)" in observed(results["lightning-read-only"])["refuses"][1]
    assert "is LOCKED by another process" in observed(results["sigil-leveldb-lock"])["locked"][1]
    assert results["sigil-stray-lock"]["recovery"]["seconds"] > 0
