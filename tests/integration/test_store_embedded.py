"""B and C on the embedded lab: the example store and database bear every fault, and nothing of it is left."""

from __future__ import annotations

from tests.lab import Lab
from tests.store_runs import NAMES, all_passed, run


def test_every_scenario_of_a_store_passes_and_nothing_is_left(lab: Lab) -> None:
    node, stores = lab.inventory.nodes["bluefin"], lab.inventory.stores.values()
    look = (
        "cut -d' ' -f3- /proc/self/mountinfo | grep -v ' nsfs ' | sort; "
        "grep -lszF GAMEDAY_FAULT=store /proc/[0-9]*/environ; "
        f"ls -A {node.run_dir} {node.undo_dir} | grep -v ended; "
        f"find {' '.join(store.path for store in stores)} -name '.gameday*' -print -o -type d -printf '%m %p\\n'"
    )
    before = lab.ssh("bluefin", look)
    all_passed(*run(lab, *NAMES))
    assert lab.ssh("bluefin", look) == before
