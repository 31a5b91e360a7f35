"""A9 for real: every core is loaded, the node goes on answering, and no loop is left."""

from __future__ import annotations

from tests.approvals import approved
from tests.hurry import hurried
from tests.lab import Lab


def test_a_loaded_node_goes_on_answering_and_nothing_burns_on(lab: Lab) -> None:
    done = lab.run(*approved(lab, hurried(lab, "cpu-pressure", hold_s=9, stable_for_s=3)))
    assert done.code == 0, str(done)
    assert (done.result["effect_proven"], done.result["revert_proven"]) == (True, True)
    outcomes = {told["id"]: told["outcome"] for told in done.result["expectations"]}
    assert outcomes["load-rises"] == outcomes["node-still-answers"] == outcomes["services-stay"] == "pass"
    assert lab.marked() == []
