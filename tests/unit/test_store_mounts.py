"""store-unmounted and store-read-only by mount: the mounts are as before, and no data is lost, however they end."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.faults.base import Fault
from console.faults.store_read_only import StoreReadOnly
from console.faults.store_unmounted import StoreUnmounted
from tests.unit.stores import StoreNode, store_node
from tests.unit.supervised import SHELLS, Ran

GONE, READ_ONLY = StoreUnmounted(), StoreReadOnly()
FAULTS = pytest.mark.parametrize("fault", [GONE, READ_ONLY], ids=lambda fault: fault.kind)
SLAVE = ("unshare", "-m", "--propagation", "slave")
PRIVATE = ("unshare", "-m", "--propagation", "private")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[StoreNode]:
    with store_node(tmp_path) as made:
        yield made


def runs(node: StoreNode, fault: Fault, *names: str) -> list[Ran]:
    return [node.run(name, fault, node.store_target()) for name in names]


def taken_back(node: StoreNode, fault: Fault, before: tuple[str, str]) -> None:
    """The revert, twice, and the proof; the mounts and the data are as before."""
    for name in ("revert", "revert", "clean"):
        ran = node.run(name, fault, node.store_target())
        assert ran.code == 0, (name, ran)
    assert (node.mounts(), node.used()) == before


@pytest.mark.parametrize(("shell", "at"), [(SHELLS[0], "disk"), *((shell, "data") for shell in SHELLS)])
def test_a_stores_file_system_is_gone_and_comes_back_with_its_data(tmp_path: Path, shell: str, at: str) -> None:
    with store_node(tmp_path, shell, at) as node:
        node.sh(f"mount -o remount,noatime,nosuid {at}")
        before = node.mounts(), node.used()
        nothing, preflight, inject, effect = runs(node, GONE, "effect", "preflight", "inject", "effect")
        assert nothing.said == "nothing was unmounted"
        assert (preflight.code, preflight.said, inject.code, inject.said) == (0, "", 0, "")
        assert effect.code == 0, effect.said
        assert f"{tmp_path}/{at} shows an empty folder of another device" in effect.said
        assert node.sh(f"ls -A {at}") == ""
        (clean,) = runs(node, GONE, "clean")
        assert clean.code == 1
        assert f"still mounted: {node.notes}/kept" in clean.said
        taken_back(node, GONE, before)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_service_that_may_only_read_the_store_may_only_read_it_afterwards(tmp_path: Path, shell: str) -> None:
    with store_node(tmp_path, shell) as node:
        remount = f"mount -o remount,bind,ro,nosuid {node.data}"
        words = node.command(*SLAVE, "sh", "-c", f"cd /; {remount}; echo $$ >{tmp_path}/there; exec sleep 600")
        protected = subprocess.Popen(words)
        try:
            node.sh(f"until [ -s {tmp_path}/there ]; do sleep 0.1; done")
            view = f"awk '$5 == \"{node.data}\" {{ print $6 }}' /proc/$(cat {tmp_path}/there)/mountinfo"
            before = node.sh(view)
            assert before.startswith("ro,nosuid")
            runs(node, GONE, "inject")
            assert node.sh(view) == ""
            (reverted,) = runs(node, GONE, "revert")
            assert reverted.code == 0, reverted
            assert node.sh(view) == before
        finally:
            protected.kill()
            protected.wait()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_store_that_is_open_for_writing_is_read_only_for_every_new_file(tmp_path: Path, shell: str) -> None:
    with store_node(tmp_path, shell, program=f"exec 5>>{tmp_path}/data/db/LOG; sleep 600") as node:
        before = node.mounts(), node.used()
        preflight, inject, effect = runs(node, READ_ONLY, "preflight", "inject", "effect")
        assert (preflight.code, inject.code, effect.code) == (0, 0, 0), (preflight, inject, effect)
        assert effect.said == (
            f"{node.data}: a read-only mount lies over it; a new file is refused (Read-only file system)\n"
            "finding: sigil.service holds 1 files open for writing, and can go on writing to these"
        )
        assert "Read-only" in node.sh("touch data/db/x 2>&1 || :")
        assert node.sh("cat data/db/CURRENT") == "one\n"
        taken_back(node, READ_ONLY, before)


def test_a_store_that_nobody_writes_is_really_read_only(node: StoreNode) -> None:
    before = node.mounts(), node.used()
    node.sh("mkdir data/more; mount --bind data/more data/more; umount data/more")
    _, effect = runs(node, READ_ONLY, "inject", "effect")
    assert (effect.code, effect.said.split(";")[0]) == (0, f"{node.data}: the file system is read-only"), effect
    node.sh("mount -o remount,rw data; rmdir data/more")
    (effect,) = runs(node, READ_ONLY, "effect")
    assert effect.said == f"{node.store} is not read-only: a file could be made"
    taken_back(node, READ_ONLY, before)


def sees(service: subprocess.Popen[bytes], folder: Path) -> list[list[str]]:
    """The mounts beneath the folder as the service has them, without their numbers and groups."""
    lines = Path(f"/proc/{service.pid}/mountinfo").read_text().splitlines()
    own = [line for line in lines if line.split()[4].startswith(f"{folder}/")]
    return sorted([*line.split()[2:6], *line.partition(" - ")[2].split()] for line in own)


@FAULTS
@pytest.mark.parametrize("own", [SLAVE, PRIVATE], ids=["slave", "private"])
def test_a_service_with_a_view_of_its_own_sees_the_fault_or_it_is_refused(
    tmp_path: Path, fault: Fault, own: tuple[str, ...]
) -> None:
    with store_node(tmp_path, program="") as node:
        service = node.serve(f"exec 5>>{node.store}/LOG; sleep 600", *own)
        try:
            before, seen = (node.mounts(), node.used()), sees(service, tmp_path)
            assert len(seen) == 3
            (preflight,) = runs(node, fault, "preflight")
            if own == PRIVATE:
                assert preflight.code == 3
                assert preflight.said.startswith(f"sigil.service has its own view of {node.data}, in which this fault")
                return
            assert preflight.code == 0, preflight.said
            _, effect = runs(node, fault, "inject", "effect")
            assert effect.code == 0, effect.said
            taken_back(node, fault, before)
            assert sees(service, tmp_path) == seen
        finally:
            service.kill()
            service.wait()


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreNode]:
    """A node whose service holds a file open for writing."""
    folder = tmp_path_factory.mktemp("busy")
    with store_node(folder, program=f"exec 5>>{folder}/data/db/LOG; sleep 600") as made:
        yield made


LINES = {
    GONE: ("keep_mount\n", "remount_kept ro\n", 'umount -l "$mount"\n', "mv new beneath"),
    READ_ONLY: ("keep_mount\n", 'mount --bind kept/fs "$mount"\n', "let_go\n  echo", "echo 'a read-only"),
}


@pytest.mark.parametrize(("fault", "line"), [(fault, line) for fault, lines in LINES.items() for line in lines])
def test_an_inject_that_is_killed_leaves_nothing_after_the_revert(busy: StoreNode, fault: Fault, line: str) -> None:
    busy.sh(f"rm -rf {busy.notes}")
    before = busy.mounts(), busy.used()
    head, found, tail = fault.scripts(busy.store_target()).inject.rpartition(line)
    assert found
    assert busy.run_text("inject", f"{head}kill -9 $$\n{line}{tail}").code == -signal.SIGKILL
    (effect,) = runs(busy, fault, "effect")
    assert effect.code in (0, 1, 3)
    taken_back(busy, fault, before)


def test_what_was_written_into_the_bare_folder_is_put_aside_and_told(node: StoreNode) -> None:
    before = node.mounts()
    runs(node, GONE, "inject")
    node.sh("mkdir data/db; echo lost >'data/db/it is here'")
    (effect,) = runs(node, GONE, "effect")
    assert "finding: something was written into the bare folder" in effect.said
    revert, clean = runs(node, GONE, "revert", "clean")
    aside = f"{node.data}.gameday-abcdefgh"
    assert revert.said == f"kept: what was written to {node.data} without its file system is in {aside}"
    assert (clean.code, node.mounts()) == (0, before)
    assert node.sh(f"cat {aside}/db/*") == "lost\n"
    assert node.sh("ls data/db") == "CURRENT\n"


def test_the_kept_file_system_cannot_be_emptied_by_who_clears_the_folder(node: StoreNode) -> None:
    before = node.mounts(), node.used()
    runs(node, GONE, "inject")
    node.sh(f"rm -rf {node.notes}/kept 2>/dev/null || :")
    taken_back(node, GONE, before)


def test_another_file_system_in_its_place_is_left_alone_and_told(node: StoreNode) -> None:
    before = node.mounts(), node.used()
    runs(node, GONE, "inject")
    node.sh("mount -t tmpfs other data")
    revert, clean = runs(node, GONE, "revert", "clean")
    assert (revert.code, clean.code) == (1, 1)
    assert revert.said == f"another file system is mounted at {node.data}: unmount it, then sweep"
    node.sh("umount data")
    taken_back(node, GONE, before)


def test_a_file_system_that_somebody_mounted_again_ends_the_effect(node: StoreNode) -> None:
    before = node.mounts(), node.used()
    runs(node, GONE, "inject")
    node.sh(f"mount --bind {node.notes}/kept/fs data; mount -o remount,bind,rw,relatime data")
    (effect,) = runs(node, GONE, "effect")
    assert (effect.code, effect.said) == (1, f"{node.data} is mounted again")
    taken_back(node, GONE, before)


@FAULTS
def test_after_a_reboot_there_is_nothing_to_take_back(node: StoreNode, fault: Fault) -> None:
    node.sh(f"rm -rf {node.notes}; mkdir -p {node.notes}")
    assert [ran.code for ran in runs(node, fault, "revert", "clean")] == [0, 0]
