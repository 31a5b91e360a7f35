"""store-disk-full: a store's own small file system is really full, and free again however the fault ends."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.faults.store_disk_full import StoreDiskFull
from console.run.preflight import read
from tests.unit.stores import StoreNode, store_node
from tests.unit.supervised import SHELLS, Ran

FAULT = StoreDiskFull(hold_s=5)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[StoreNode]:
    with store_node(tmp_path) as made:
        yield made


def takes_a_byte(node: StoreNode) -> bool:
    """Whether an ordinary program can write a block more there."""
    said = node.sh(f"dd if=/dev/zero of={node.store}/more bs=4096 count=1 2>&1 || echo failed; rm -f {node.store}/more")
    return "failed" not in said


def until_full(node: StoreNode) -> str:
    """What the effect says once it is proven."""
    for _ in range(50):
        effect = node.run("effect", FAULT, node.store_target())
        if effect.code != 3:
            break
    assert effect.code == 0, effect.said
    return effect.said


def cleaned(node: StoreNode) -> Ran:
    """What `clean` says. A lab beside these tests may hold a disk full just then, and its processes are seen here."""
    for _ in range(60):
        clean = node.run("clean", FAULT, node.store_target())
        ours = node.sh(f"find /proc/[0-9]*/fd -lname '{node.folder}/*/.gameday-full.*' 2>/dev/null || :")
        if ours or not clean.said.startswith("space is still held"):
            break
        time.sleep(0.5)
    return clean


@pytest.mark.parametrize(("shell", "at"), [(SHELLS[0], "disk"), *((shell, "data") for shell in SHELLS)])
def test_a_stores_file_system_is_filled_to_its_last_block_and_given_back(tmp_path: Path, shell: str, at: str) -> None:
    with store_node(tmp_path, shell, at) as node:
        target, before = node.store_target(), node.used()
        preflight = node.run("preflight", FAULT, target)
        assert (preflight.code, preflight.said) == (0, "")
        assert node.run("effect", FAULT, target).said == "nothing was filled"
        assert node.run("inject", FAULT, target).code == 0
        said = until_full(node)
        assert re.match(rf"{tmp_path}/{at} is full: a byte more is refused \(No space left on device\), 0 KB are", said)
        assert not takes_a_byte(node)
        clean = node.run("clean", FAULT, target)
        assert clean.code == 1
        assert clean.said.startswith("processes of store-disk-full are left: ")
        for _ in range(2):
            assert node.run("revert", FAULT, target).code == 0
        assert cleaned(node).code == 0
        assert takes_a_byte(node)
        assert node.used() == before
        assert node.run("effect", FAULT, target).code == 1


def test_what_the_service_frees_is_taken_as_well(node: StoreNode) -> None:
    node.sh(f"dd if=/dev/zero of={node.store}/old bs=1M count=2 2>/dev/null")
    node.run("inject", FAULT, node.store_target())
    until_full(node)
    node.sh(f"rm {node.store}/old")
    for _ in range(50):
        if not takes_a_byte(node):
            break
    else:
        pytest.fail("what was freed was not taken")
    until_full(node)


def test_space_comes_back_with_the_process_that_held_it_and_the_effect_says_so(node: StoreNode) -> None:
    before = node.used()
    node.run("inject", FAULT, node.store_target())
    until_full(node)
    os.kill(int(node.sh(f"cat {node.notes}/keeper").split()[0]), signal.SIGKILL)
    for _ in range(50):
        if takes_a_byte(node):
            break
    assert node.used() == before
    assert node.run("effect", FAULT, node.store_target()).said == "what held the space is gone"


def kill_points() -> list[str]:
    """Lines of inject before which it is killed."""
    return ["can\nroom", "set +C", "keep_full </dev", "mv keeper.new"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreNode]:
    with store_node(tmp_path_factory.mktemp("shared")) as made:
        yield made


@pytest.mark.parametrize("point", kill_points())
def test_an_inject_that_is_killed_leaves_nothing_after_the_revert(shared: StoreNode, point: str) -> None:
    target, before = shared.store_target(), shared.used()
    shared.sh(f"rm -rf {shared.notes}")
    text = FAULT.scripts(target).inject
    assert text.count(point) == 1
    assert shared.run_text("inject", text.replace(point, f"kill -9 $$\n{point}")).code == -signal.SIGKILL
    assert shared.run("effect", FAULT, target).code in (1, 3)
    assert shared.run("revert", FAULT, target).code == 0
    assert cleaned(shared).code == 0
    assert shared.used() == before


def refused(node: StoreNode, *never: Path | str, **store: object) -> str:
    """Why nothing is filled there, by the preflight and by inject itself."""
    target, before = node.store_target(*never, **store), node.used()
    preflight = node.run("preflight", FAULT, target)
    assert preflight.code == 3, preflight
    inject = node.run("inject", FAULT, target)
    assert (inject.code, inject.said) == (1, preflight.said)
    assert node.used() == before
    told = read(3, preflight.said)
    assert all(fix for _, fix in told.reasons)
    return "; ".join(what for what, _ in told.reasons)


def test_a_store_beside_other_things_is_refused_with_every_reason(node: StoreNode) -> None:
    store, data = node.store, node.data
    assert refused(node, data) == (
        f"{store} is in {data}, which is never touched; {data}, which is never touched, is in {data}"
    )
    assert refused(node, store / "keep").startswith(f"{store}/keep, which is never touched, is in {data}")
    node.sh("mkdir again; mount --bind data/db again")
    assert refused(node) == f"the file system of {data} is mounted at {node.folder}/again too"
    node.sh("umount again; mkdir data/more; mount -t tmpfs x data/more")
    assert refused(node) == f"something else is mounted in or over {data}"
    node.sh("umount data/more; mount -o remount,ro data")
    assert refused(node) == f"{data} is mounted read-only"
    node.sh("mount -o remount,rw,size=2g data")
    assert refused(node) == f"{data} has 2048 MB, more than the 1024 MB of a store's own small one"


def test_a_file_system_that_others_use_is_refused(node: StoreNode) -> None:
    main = node.sh("cat main")
    other = node.serve(f"cd {node.store}; exec sleep 600")
    node.sh(f"echo {main.strip()} >main")
    try:
        assert refused(node) == f"others than sigil.service use {node.data} too: {other.pid} (sleep)"
    finally:
        other.kill()
        other.wait()


def test_the_nodes_root_and_a_folder_that_is_not_there_are_refused(node: StoreNode) -> None:
    assert "is no folder here" in refused(node, path="/no/such/folder")
    assert refused(node, path="/usr/lib") == "/usr/lib lies on the node's root file system"


def test_a_service_that_is_down_or_sees_another_folder_is_no_target(node: StoreNode) -> None:
    node.sh("echo 0 >main")
    preflight = node.run("preflight", FAULT, node.store_target())
    assert (preflight.code, preflight.said) == (1, "sigil.service has no main process: is the service up?")
    other = node.serve(f"mount -t tmpfs own {node.store}; exec sleep 600", "unshare", "-m")
    try:
        node.sh(f"until grep -q own /proc/{other.pid}/mountinfo; do sleep 0.05; done")
        assert "sigil.service sees another folder at" in refused(node)
    finally:
        other.kill()
        other.wait()
