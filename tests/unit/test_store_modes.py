"""store-read-only by permissions: each file's own mode is back, whatever came between."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.faults.store_read_only import StoreReadOnly
from tests.unit.stores import StoreNode, store_node
from tests.unit.supervised import SHELLS

FAULT = StoreReadOnly(how="permissions")
FILES = """\
cd disk/db; echo a >'a  b '; mkdir -m 2775 sub; echo c >sub/c; chmod 4751 CURRENT; chmod 604 sub/c; ln -s /etc/passwd l
mkfifo pipe; echo r >r; chmod 444 r; chown -R nobody . ; chmod 4751 CURRENT"""


@pytest.fixture
def node(tmp_path: Path) -> Iterator[StoreNode]:
    with store_node(tmp_path, at="disk", program="exec setpriv --bounding-set -all --inh-caps -all sleep 600") as made:
        made.sh(FILES)
        yield made


def modes(node: StoreNode) -> str:
    return node.sh("find disk/db -printf '%M %U %i %p\\n' | sort; stat -L -c %a /etc/passwd")


@pytest.mark.parametrize("shell", SHELLS)
def test_nobody_may_write_and_every_mode_comes_back(tmp_path: Path, shell: str) -> None:
    program = f"exec 5>>{tmp_path}/disk/log; exec setpriv --reuid 65534 --clear-groups sleep 600"
    with store_node(tmp_path, shell, "disk", program="") as node:
        node.sh(FILES)
        service = node.serve(program)
        try:
            before, target = modes(node), node.store_target()
            preflight = node.run("preflight", FAULT, target)
            assert (preflight.code, preflight.said) == (0, "")
            assert node.run("effect", FAULT, target).said == "no right was taken"
            assert node.run("inject", FAULT, target).code == 0
            effect = node.run("effect", FAULT, target)
            assert (effect.code, effect.said) == (
                0, f"nobody has the right to write to any of 5 files and folders in {node.store}\n"
                "finding: sigil.service holds 1 files open for writing, and can go on writing to these",
            )  # fmt: skip
            assert node.sh("find disk/db -type f -perm /222; find disk/db -type d -perm /222") == ""
            clean = node.run("clean", FAULT, target)
            assert (clean.code, clean.said.splitlines()[0]) == (1, f"{node.store} has not its right to write, 755")
            for name in ("revert", "revert", "clean"):
                assert node.run(name, FAULT, target).code == 0
            assert modes(node) == before
        finally:
            service.kill()
            service.wait()


def test_a_service_with_roots_rights_is_told_of_before(tmp_path: Path) -> None:
    with store_node(tmp_path) as node:
        preflight = node.run("preflight", FAULT, node.store_target())
        assert preflight.code == 0
        assert preflight.said.startswith("warning: sigil.service has root's rights, which no permission binds")


@pytest.mark.parametrize("line", ["mv new modes", "keep modes", "number=$(stat", "each take", 'echo "$(wc'])
def test_an_inject_that_is_killed_leaves_nothing_after_the_revert_also_after_a_reboot(
    node: StoreNode, line: str
) -> None:
    before, target = modes(node), node.store_target()
    head, found, tail = FAULT.scripts(target).inject.rpartition(line)
    assert found
    node.sh("touch undo/other")
    assert node.run_text("inject", f"{head}kill -9 $$\n{line}{tail}").code == -signal.SIGKILL
    node.reboot()
    for name in ("revert", "clean"):
        assert node.run(name, FAULT, target).code == 0
    assert modes(node) == before


def test_after_a_reboot_a_disk_that_is_not_mounted_yet_is_not_called_clean(node: StoreNode) -> None:
    before, target = modes(node), node.store_target()
    assert node.run("inject", FAULT, target).code == 0
    node.reboot()
    node.sh("umount -l disk")
    assert [node.run(name, FAULT, target).code for name in ("revert", "clean")] == [1, 2]
    node.sh("mount -o loop image disk")
    assert [node.run(name, FAULT, target).code for name in ("revert", "clean")] == [0, 0]
    assert modes(node) == before


def test_what_stands_at_a_files_name_later_is_left_alone(node: StoreNode) -> None:
    target = node.store_target()
    node.sh("echo x >victim; chmod 600 victim")
    assert node.run("inject", FAULT, target).code == 0
    node.sh("rm -f disk/db/CURRENT disk/db/sub/c; ln -s ../../victim disk/db/CURRENT")
    revert = node.run("revert", FAULT, target)
    assert revert.code == 0
    assert f"{node.store}/CURRENT was not given back 4751, and has 777: it is not the file that it was" in revert.said
    assert node.sh("stat -c %a victim") == "600\n"


def test_a_file_that_may_be_written_again_ends_the_effect(node: StoreNode) -> None:
    assert node.run("inject", FAULT, node.store_target()).code == 0
    node.sh("chmod u+w disk/db/r")
    effect = node.run("effect", FAULT, node.store_target())
    assert (effect.code, effect.said) == (1, f"{node.store}/r may be written again")


@pytest.mark.parametrize(
    ("never", "said"),
    [
        ("disk", "is in {disk}, which is never touched"),
        ("disk/db/sub", "{disk}/db/sub, which is never touched, is in {disk}/db"),
    ],
)
def test_never_paths_keep_their_permissions(node: StoreNode, never: str, said: str) -> None:
    before = modes(node)
    target = node.store_target(node.folder / never)
    preflight = node.run("preflight", FAULT, target)
    assert preflight.code == 3
    assert said.format(disk=node.disk) in preflight.said
    assert node.run("inject", FAULT, target).code == 1
    assert modes(node) == before
