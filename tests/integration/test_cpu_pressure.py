"""A9 for real: every core is loaded, the node goes on answering, and no loop is left."""

from __future__ import annotations

from tests.lab import Lab
from tests.trials import approved_plan


def test_a_loaded_node_goes_on_answering_and_nothing_burns_on(lab: Lab) -> None:
    plan, approval = approved_plan(lab, "cpu-pressure", "--set", "hold_s=26")
    done = lab.run(plan, "--approval", approval)
    assert done.code == 0, str(done)
    assert (done.result["effect_proven"], done.result["revert_proven"]) == (True, True)
    outcomes = {told["id"]: told["outcome"] for told in done.result["expectations"]}
    assert outcomes["load-rises"] == outcomes["node-still-answers"] == outcomes["services-stay"] == "pass"
    assert lab.marked() == []
