"""disk-fill's guard rails, on real mounts: never paths and all that share their space are refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from console.faults.base import Target
from console.faults.disk_fill import DiskFill
from console.run.preflight import read
from tests.unit.disks import Node, node_with_disks
from tests.unit.supervised import SHELLS

FAKE_BLOCKS = (
    "mkdir sys; mount -t tmpfs sys sys; d=$(stat -c %d disk); b=sys/$((d >> 8)):$((d & 255)); mkdir -p $b/{what}"
)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with node_with_disks(tmp_path) as made:
        yield made


def refused(node: Node, path: Path | str, *never: Path | str, **how: object) -> str:
    """Why that path is refused, by the preflight and by inject itself; nothing is written for it."""
    fault = DiskFill(**({"path": str(path), "size": "4MB"} | how))  # type: ignore[arg-type]
    target = node.target(*never)
    before = node.used()
    preflight = node.run("preflight", fault, target)
    assert preflight.code == 3, preflight
    inject = node.run("inject", fault, target)
    assert inject.code == 1
    assert node.used() == before
    assert node.run("revert", fault, target).code == 0
    told = read(3, preflight.said)
    assert told.answer == "refused"
    assert all(fix for _, fix in told.reasons)
    assert inject.said == preflight.said
    return "; ".join(what for what, _ in told.reasons)


def allowed(node: Node, path: Path | str, target: Target, **how: object) -> None:
    """That path is filled and emptied."""
    fault = DiskFill(**({"path": str(path), "size": "4MB"} | how))  # type: ignore[arg-type]
    before = node.used()
    for script in ("preflight", "inject", "effect", "revert", "clean"):
        ran = node.run(script, fault, target)
        assert ran.code == 0, (script, ran)
    assert node.used() == before


FORMS = {
    "directly": ("true", "disk/never"),
    "a folder in it": ("mkdir -p disk/never/below", "disk/never/below"),
    "through a symlink": ("ln -s never disk/link", "disk/link"),
    "through a symlink of a folder above": ("mkdir a; ln -s ../disk a/up", "a/up/never"),
    "through a bind mount": ("mkdir bound; mount --bind disk/never bound", "bound"),
    "by way of ..": ("true", "disk/never/../never"),
    "as a mount of the same device": ("mkdir again; mount $(findmnt -no SOURCE disk) again", "again"),
    "a neighbour folder of the same file system": ("mkdir disk/neighbour", "disk/neighbour"),
    "a bind mount of a neighbour": ("mkdir -p disk/n bound; mount --bind disk/n bound; chmod 755 bound", "bound"),
    "a file system in a file beside it": (
        "truncate -s 10M disk/img; mkfs.ext4 -q disk/img; mkdir in; mount -o loop disk/img in", "in",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("shell", "form"), [(SHELLS[0], form) for form in FORMS] + [(shell, "through a symlink") for shell in SHELLS[1:]]
)
def test_a_never_path_is_refused_in_every_form(tmp_path: Path, shell: str, form: str) -> None:
    make, path = FORMS[form]
    with node_with_disks(tmp_path, shell) as node:
        node.sh(f"mkdir disk/never; {make}")
        why = refused(node, tmp_path / path, node.disk / "never")
        assert why.endswith("disk/never, which is never touched")
        allowed(node, node.disk, node.target(node.data, node.folder / "nowhere"))


def test_a_never_path_that_is_itself_a_link_protects_what_it_leads_to(node: Node) -> None:
    node.sh("mkdir disk/real; ln -s disk/real never")
    assert refused(node, node.disk, "/" + "/".join((node.folder / "never").parts[1:]))


def test_what_is_mounted_in_a_never_path_is_protected_too(node: Node) -> None:
    node.sh("mkdir data/below disk/far; mount --bind disk/far data/below")
    assert "shares its space with" in refused(node, node.disk, node.data)


def test_a_never_path_with_a_file_system_that_does_not_tell_its_space_is_refused(node: Node) -> None:
    node.sh("mkdir data/up data/work data/low never; "
            "mount -t overlay -o lowerdir=data/low,upperdir=data/up,workdir=data/work overlay never")  # fmt: skip
    why = refused(node, node.disk, node.folder / "never")
    assert why == (
        f"whether {node.disk} shares its space with {node.folder}/never cannot be told: "
        "how much room overlay has, and whose, cannot be told"
    )
    assert "cannot be filled safely: how much room overlay has" in refused(node, node.folder / "never")


@pytest.mark.parametrize("what", ["thin", ""])
def test_a_mapping_that_may_be_thin_is_refused(node: Node, what: str) -> None:
    node.sh(FAKE_BLOCKS.format(what="dm") + "; mount --bind sys /sys/dev/block")
    node.sh(
        f"mkdir bin; printf '#!/bin/sh\\n[ -z \"{what}\" ] || echo 0 99 {what} x\\n' >bin/dmsetup; chmod +x bin/dmsetup"
    )
    node.path = f"{node.folder}/bin:{node.path}"
    assert f"a mapping of the kind '{what or 'not told'}', which may be thin" in refused(node, node.disk)


def test_a_linear_mapping_has_its_space_to_itself(node: Node) -> None:
    node.sh(FAKE_BLOCKS.format(what="dm") + "; mkdir -p $b/slaves/sda sys/8:9; echo 8:9 >$b/slaves/sda/dev; "
            "mount --bind sys /sys/dev/block")  # fmt: skip
    node.sh("mkdir bin; printf '#!/bin/sh\\necho 0 99 linear 8:9 0\\n' >bin/dmsetup; chmod +x bin/dmsetup")
    node.path = f"{node.folder}/bin:{node.path}"
    allowed(node, node.disk, node.target(node.data))


def test_a_device_that_is_not_shown_cannot_be_told(node: Node) -> None:
    node.sh("mkdir sys; mount -t tmpfs sys sys; mount --bind sys /sys/dev/block")
    assert "lies on is not shown here" in refused(node, node.disk)


def test_memory_is_filled_only_where_that_is_allowed(node: Node) -> None:
    node.sh("mkdir tmp; mount -t tmpfs -o size=32m tmp tmp")
    assert refused(node, node.folder / "tmp") == f"{node.folder}/tmp is in memory, not on a disk"
    allowed(node, node.folder / "tmp", node.target(), memory=True)
    allowed(node, node.folder / "tmp", node.target(memory_disks=("/nowhere", str(node.folder / "tmp"))))


def test_memory_that_is_not_to_be_had_is_not_filled(node: Node) -> None:
    node.sh("mkdir tmp; mount -t tmpfs -o size=900g tmp tmp")
    preflight = node.run("preflight", DiskFill(path=f"{node.folder}/tmp", size="800GB", memory=True))
    assert preflight.code == 1
    assert "is in memory: 819200 MB are too much where" in preflight.said


def test_the_guards_own_file_system_is_refused(node: Node) -> None:
    assert "in which the guard works" in refused(node, node.folder / "run", memory=True)


def test_a_disk_that_is_read_only_is_refused(node: Node) -> None:
    node.sh("mkdir bound; mount --bind disk bound; mount -o remount,ro,bind bound")
    assert refused(node, node.folder / "bound") == f"{node.folder}/bound is mounted read-only"


@pytest.mark.parametrize("mode", ["chmod 777", "chmod 775", "chown nobody"])
def test_a_folder_in_which_others_could_move_the_files_away_is_refused(node: Node, mode: str) -> None:
    node.sh(f"mkdir disk/open; {mode} disk/open")
    assert "may be changed by others than root" in refused(node, node.disk / "open")


def test_a_sticky_folder_is_as_good_as_an_own_one(node: Node) -> None:
    node.sh("mkdir disk/tmp; chmod 1777 disk/tmp")
    allowed(node, node.disk / "tmp", node.target(node.data))


def test_a_path_that_is_no_folder_is_refused(node: Node) -> None:
    assert refused(node, node.folder / "image") == f"{node.folder}/image is no folder here"


def test_all_reasons_are_told_at_once(node: Node) -> None:
    node.sh("mkdir disk/a disk/b disk/open; chmod 777 disk/open")
    assert refused(node, node.disk / "open", node.disk / "a", node.disk / "b").count(";") == 2


def test_names_with_spaces_quotes_and_stars_are_taken_as_they_are(node: Node) -> None:
    odd = 'it\'s a *\\ "name"'
    (node.folder / odd).mkdir()
    node.sh("truncate -s 20M image2; mkfs.ext4 -q image2; mount -o loop image2 it*name*")
    assert "which is never touched" in refused(node, node.folder / odd, node.folder / odd)
    allowed(node, node.folder / odd, node.target(node.data))
