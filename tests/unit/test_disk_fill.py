"""disk-fill: run with real shells on a real small disk; nothing of it is left after the revert."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.errors import BadInput
from console.faults.base import Fault
from console.faults.disk_fill import DiskFill
from console.faults.disk_fill_sh import INJECT
from console.plan.scenario import load_scenario
from tests.unit.disks import RUN, Node, node_with_disks
from tests.unit.programs import without
from tests.unit.supervised import SHELLS

SLOW_DD = '#!/bin/sh\nfor word; do case $word in of=*) echo begun >"${word#of=}" ;; esac; done\nexec sleep 60\n'


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with node_with_disks(tmp_path) as made:
        yield made


def fill(node: Node, **how: object) -> DiskFill:
    return DiskFill(**({"path": str(node.disk), "size": "20MB", "step": "6MB"} | how))  # type: ignore[arg-type]


def percent_used(node: Node) -> int:
    return int(node.sh("df -kP disk").split()[-2].rstrip("%"))


@pytest.mark.parametrize("shell", SHELLS)
def test_a_disk_is_filled_proven_and_emptied(tmp_path: Path, shell: str) -> None:
    with node_with_disks(tmp_path, shell) as node:
        fault, before = fill(node), node.used()
        assert node.run("preflight", fault) == node.run("clean", fault)
        assert node.used() == before
        inject = node.run("inject", fault)
        assert (inject.code, inject.said) == (0, "")
        effect = node.run("effect", fault)
        assert effect.code == 0, effect.said
        assert re.fullmatch(
            rf"{node.disk}: \d+ % used, \d+ MB free, with 20 MB of ours; before: 0 % used, \d+ MB free", effect.said
        )
        assert percent_used(node) > 40
        clean = node.run("clean", fault)
        assert clean.code == 1
        assert re.fullmatch(rf"{node.disk}/\.gameday-fill\.{RUN}\.\w+ is left", clean.said)
        for _ in range(2):
            assert node.run("revert", fault).code == 0
            assert node.used() == before
        assert node.run("clean", fault).code == 0
        effect = node.run("effect", fault)
        assert effect.code == 1
        assert effect.said.endswith(" is gone")


@pytest.mark.parametrize("percent", [50, 80])
def test_a_disk_is_filled_to_so_many_per_cent(node: Node, percent: int) -> None:
    fault = fill(node, percent=percent)
    node.sh("dd if=/dev/zero of=disk/already bs=1M count=5")
    assert node.run("inject", fault).code == 0
    assert abs(percent_used(node) - percent) <= 3
    assert node.run("effect", fault).said.startswith(f"{node.disk}: {percent_used(node)} % used")


@pytest.mark.parametrize(("reserve", "left_mb"), [("5%", 8), ("50%", 19), ("12MB", 12)])
def test_what_does_not_fit_above_the_reserve_is_left_out_and_said_before(
    node: Node, reserve: str, left_mb: int
) -> None:
    fault = fill(node, size="10GB", reserve=reserve)
    preflight = node.run("preflight", fault)
    assert preflight.code == 0
    assert preflight.said.startswith("warning: of 10240 MB only ")
    node.run("inject", fault)
    free_kb = int(node.sh("df -kP disk").split()[-3])
    assert left_mb * 1024 <= free_kb < (left_mb + 2) * 1024
    assert node.run("effect", fault).code == 0


def test_a_full_disk_is_not_filled(node: Node) -> None:
    node.sh("fallocate -l 36M disk/already")
    preflight = node.run("preflight", fill(node))
    assert preflight.code == 1
    assert "nothing is to be filled" in preflight.said
    assert node.run("inject", fill(node)).code == 1
    assert node.run("preflight", fill(node, percent=30)).code == 1


def test_the_reserve_is_kept_while_others_write_too(node: Node) -> None:
    other = f"case $n in 2) fallocate -l 15M {node.disk}/other ;; esac\n  part=$step\n"
    text = fill(node, size="30MB", step="4MB").scripts(node.target()).inject.replace("part=$step\n", other, 1)
    assert node.run_text("inject", text).code == 0
    assert int(node.sh("df -kP disk").split()[-3]) >= 8 * 1024
    effect = node.run("effect", fill(node))
    assert effect.code == 0, effect.said


def kill_points() -> list[int]:
    """Every line of inject before which it can be killed."""
    lines = ["", *INJECT.splitlines()]
    return [n for n in range(1, len(lines)) if not lines[n - 1].rstrip().endswith(("||", "&&"))]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with node_with_disks(tmp_path_factory.mktemp("shared")) as made:
        yield made


@pytest.mark.parametrize("point", kill_points())
def test_an_inject_that_is_killed_at_any_line_leaves_nothing_after_the_revert(shared: Node, point: int) -> None:
    fault, before = fill(shared), shared.used()
    shared.sh(f"rm -rf {shared.notes} undo/*")
    lines = INJECT.splitlines()
    lines[point - 1] = f"kill -9 $$; {lines[point - 1].lstrip()}" if lines[point - 1] != "done" else "kill -9 $$; done"
    text = fault.scripts(shared.target()).inject.replace(INJECT, "\n".join(lines) + "\n")
    assert shared.run_text("inject", text).code == -9
    assert shared.run("effect", fault).code in (1, 3)
    assert shared.run("revert", fault).code == 0
    assert shared.used() == before
    assert shared.run("clean", fault).code == 0


def without_fallocate(node: Node, dd: str) -> None:
    """From now on the node has only this dd to write with."""
    bin_ = node.folder / "bin"
    bin_.mkdir()
    (bin_ / "dd").write_text(dd)
    (bin_ / "dd").chmod(0o755)
    node.path = f"{bin_}:{without('fallocate')}"


def test_without_fallocate_it_is_written(node: Node) -> None:
    without_fallocate(node, '#!/bin/sh\nexec /bin/dd "$@"\n')
    assert node.run("inject", fill(node)).code == 0
    assert node.run("effect", fill(node)).code == 0


def test_a_writer_that_outlives_its_inject_is_ended_before_its_files_go(node: Node) -> None:
    without_fallocate(node, SLOW_DD)
    fault, before = fill(node), node.used()
    words = node.command("sh", node.put("inject", fault.scripts(node.target()).inject))
    inject = subprocess.Popen(words, env=node.environment())
    until_s = time.monotonic() + 10
    while "begun" not in node.sh("cat disk/.gameday-fill.*/* 2>/dev/null || :"):
        assert time.monotonic() < until_s
    effect = node.run("effect", fault)
    assert effect.code == 3
    assert effect.said.startswith("in progress: 0 MB of 20 MB, ")
    inject.kill()
    inject.wait()
    assert node.run("clean", fault).said.startswith("processes of disk-fill are left: ")
    assert node.run("revert", fault).code == 0
    assert node.used() == before
    assert node.run("clean", fault).code == 0


def test_a_write_that_fails_is_said(node: Node) -> None:
    without_fallocate(node, "#!/bin/sh\nexit 1\n")
    inject = node.run("inject", fill(node))
    assert inject.code == 1
    assert inject.said.startswith("writing failed: ")


def test_the_revert_works_on_a_full_disk(node: Node) -> None:
    fault = fill(node, size="10GB")
    node.run("inject", fault)
    assert "No space left" in node.sh("dd if=/dev/zero of=disk/rest bs=4k 2>&1 || :")
    assert node.run("effect", fault).code == 0
    assert node.run("revert", fault).code == 0
    assert node.sh("ls -A disk").split() == ["lost+found", "rest"]


def test_after_a_reboot_the_files_are_found_by_the_runs_mark(node: Node) -> None:
    node.sh("mkdir disk/real other; ln -s disk/real link; truncate -s 4M a; mkfs.ext4 -q a")
    fault, before = fill(node, path=f"{node.folder}/link"), node.used()
    node.run("inject", fault)
    # The link leads elsewhere by now, and the disk has another device number.
    node.sh("rm link; mkdir link; umount disk; mount -o loop a other; mount -o loop image disk")
    node.reboot()
    assert node.run("clean", fault).code == 1
    assert node.run("revert", fault).code == 0
    assert node.used() == before
    assert node.run("clean", fault).code == 0


def test_before_a_disk_is_mounted_again_its_files_are_not_called_gone(node: Node) -> None:
    fault, before = fill(node), node.used()
    node.run("inject", fault)
    node.reboot()
    node.sh("umount disk")
    revert, clean = node.run("revert", fault), node.run("clean", fault)
    assert (revert.code, revert.said) == (
        1, f"{node.disk} is not as it was when it was filled: mount it again, then sweep",
    )  # fmt: skip
    assert clean.code == 2
    node.sh("mount -o loop image disk")
    assert node.run("revert", fault).code == 0
    assert node.run("clean", fault).code == 0
    assert node.used() == before


def test_files_are_never_called_gone_because_another_disk_is_mounted_there(node: Node) -> None:
    fault, before = fill(node), node.used()
    node.run("inject", fault)
    node.sh("mount -t tmpfs none disk")
    assert node.run("revert", fault).code == 1
    assert node.run("clean", fault).code == 2
    node.sh("umount disk")
    assert node.run("revert", fault).code == 0
    assert node.used() == before


def test_the_revert_follows_no_link_and_takes_nothing_of_others(node: Node) -> None:
    node.sh(
        f"cd disk; mkdir victim .gameday-fill.{RUN}.theirs; touch victim/fill.1 .gameday-fill.{RUN}.theirs/fill.1; "
        f"ln -s victim .gameday-fill.{RUN}.link; chown -R nobody .gameday-fill.{RUN}.theirs; "
        "mkdir .gameday-fill.other.x"
    )
    fault, before = fill(node), node.used()
    node.run("inject", fault)
    assert node.run("revert", fault).code == 0
    assert node.used() == before
    assert node.run("clean", fault).said == f"{node.disk}/.gameday-fill.other.x is left"


def test_the_revert_stays_on_its_file_system(node: Node) -> None:
    fault = fill(node)
    node.run("inject", fault)
    node.sh("touch data/fill.1; mount --bind data disk/.gameday-fill.*")
    assert node.run("revert", fault).code == 1
    assert node.sh("ls data").split() == ["fill.1"]
    node.sh("umount disk/.gameday-fill.*; cd disk/.gameday-fill.*; mkdir theirs")
    assert node.run("revert", fault).code == 1
    node.sh("rmdir disk/.gameday-fill.*/theirs")
    assert node.run("revert", fault).code == 0


def test_files_that_were_removed_end_the_effect(node: Node) -> None:
    fault = fill(node)
    node.run("inject", fault)
    node.sh("rm disk/.gameday-fill.*/fill.2")
    effect = node.run("effect", fault)
    assert effect.code == 1
    assert effect.said.startswith("of 20 MB only 14 MB are left")


def test_a_level_that_fell_ends_the_effect(node: Node) -> None:
    node.sh("fallocate -l 10M disk/others")
    fault = fill(node)
    node.run("inject", fault)
    assert node.run("effect", fault).code == 0
    node.sh("rm disk/others")
    effect = node.run("effect", fault)
    assert effect.code == 1
    assert "something else gave space free" in effect.said


def test_where_nothing_was_injected_the_effect_fails_and_the_revert_does_nothing(node: Node) -> None:
    assert node.run("effect", fill(node)).said == "nothing was written"
    assert node.run("revert", fill(node)).code == 0
    assert node.run("revert", fill(node, path=f"{node.folder}/nowhere")).code == 0


@pytest.mark.parametrize("bad", ["path: tmp", "size: 10", "size: 5%", "percent: 100", "percent: 0", "reserve: 100%"])
def test_a_parameter_out_of_bounds_is_bad_input(tmp_path: Path, bad: str) -> None:
    shipped = Path(__file__).parents[2] / "scenarios" / "disk-fill.yaml"
    key, _, value = bad.partition(": ")
    with pytest.raises(BadInput, match=f"'{key}'|{key}"):
        load_scenario(shipped, {key: value})


def test_the_limits_grow_with_the_size(tmp_path: Path) -> None:
    small, large = DiskFill(size="1GB"), DiskFill(size="200GB")
    limits = [fault.inject_limit_s(Node(tmp_path, os.getpid()).target()) for fault in (small, large)]
    assert 30 < limits[0] < 60 < limits[1] <= 1800
    assert 20 < small.revert_limit_s < 30 < large.revert_limit_s <= 600
    fault: Fault = large
    assert fault.survives_reboot
