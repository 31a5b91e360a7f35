"""store-second-opener: what the second process did is told as it was, and it is gone after the revert."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from console.errors import Refused
from console.faults.store_second_opener import StoreSecondOpener
from console.plan.probe import SecondOpenerProbe
from console.probes.second_opener import _LOOK, judged
from console.terms import Status
from tests.unit.stores import StoreNode, store_node
from tests.unit.supervised import SHELLS

FAULT = StoreSecondOpener(within_s=1)
ASKED = SecondOpenerProbe(store="sigil", within_s=1)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[StoreNode]:
    with store_node(tmp_path) as made:
        yield made


OPENERS = {
    "refused": ("echo it is LOCKED >&2; exit 1", Status.PASS, "exit 1; it said: it is LOCKED"),
    "let in": ("exit 0", Status.FAIL, "a second process opened sigil, which its service holds open (exit 0"),
    "stays": ("echo LOCKED; exec sleep 600", Status.FAIL, "a second process that opens sigil is there since"),
    "mute": ("exit 1", Status.FAIL, "it said: nothing; that does not say 'LOCKED'"),
    "slow": ("sleep 1.3; echo LOCKED; exit 1", Status.FAIL, "not within 1 s"),
}


@pytest.mark.parametrize(
    ("shell", "kind"), [(SHELLS[0], kind) for kind in OPENERS] + [(shell, "refused") for shell in SHELLS[1:]]
)
def test_what_a_second_opener_does_is_told_as_it_was(tmp_path: Path, shell: str, kind: str) -> None:
    program, status, text = OPENERS[kind]
    with store_node(tmp_path, shell) as node:
        target = node.store_target(open=("sh", "-c", program, "it's"))
        assert node.run("preflight", FAULT, target).code == 0
        assert node.run("effect", FAULT, target).said == "nothing was started"
        look = _LOOK.format(folder=node.notes)
        assert judged(node.sh(look), ASKED)[0] is Status.UNKNOWN
        assert node.run("inject", FAULT, target).code == 0
        assert node.run("effect", FAULT, target).code == 0
        if kind == "slow":
            node.sh(f"until [ -s {node.notes}/ended ]; do sleep 0.1; done")
        limit_s = ASKED.within_s if kind in ("slow", "stays") else 30  # a busy machine starts even these late
        told = judged(node.sh(look), msgspec.structs.replace(ASKED, within_s=limit_s))
        assert told[0] is status, told
        assert text in told[1]
        if kind == "stays":
            assert node.run("clean", FAULT, target).code == 1
        for name in ("revert", "revert", "clean"):
            assert node.run(name, FAULT, target).code == 0


def test_it_runs_as_the_service_and_with_nothing_of_ours(tmp_path: Path) -> None:
    with store_node(tmp_path, program="") as node:
        node.sh("touch main; chmod 666 main")
        service = node.serve("umask 037; exec setpriv --reuid 65534 --regid 65534 --clear-groups sleep 600")
        try:
            target = node.store_target(open=("env", "A=b c", "sh", "-c", "id -u; id -g; umask; env; exit 1"))
            assert node.run("inject", FAULT, target).code == 0
            said = node.sh(f"cat {node.notes}/said").splitlines()
            assert said[:3] == ["65534", "65534", "0037"]
            names = {line.partition("=")[0] for line in said[3:]}
            assert names <= {"PATH", "GAMEDAY_FAULT", "GAMEDAY_RUN", "A", "PWD", "OLDPWD", "SHLVL", "_"}
            assert "A=b c" in said
        finally:
            service.kill()
            service.wait()


def test_a_store_whose_opening_is_not_known_is_refused(node: StoreNode) -> None:
    with pytest.raises(Refused, match="does not say how sigil is opened"):
        FAULT.scripts(node.store_target())
    preflight = node.run("preflight", FAULT, node.store_target(open=("no-such-program",)))
    assert (preflight.code, preflight.said) == (1, "no-such-program, which opens the store, is no program here")
