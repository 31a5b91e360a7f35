"""What a fault that survives a reboot leaves on disk, and that no reboot makes a node look clean. (As root on Linux.)

The machine here is not booted again: its memory is emptied, its processes are killed and its boot id is changed, at
once, as a reset does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from console.faults import shell
from console.nodes.guard import Guard, NotArmed
from console.nodes.guard_leased import LeasedGuard
from console.nodes.proof import GuardKind
from console.nodes.ssh import SshNode
from console.nodes.sweep import clear, survey
from console.terms import Status
from tests.integration.guarding import eventually, plan_of, touching
from tests.integration.sites import IN_TIME_S, Site, processes_of

pytestmark = [pytest.mark.parametrize("site", ["systemd"], indirect=True)]
BOOT_ID = "/proc/sys/kernel/random/boot_id"


@pytest.fixture(params=["systemd", "shell"])
def kind(request: pytest.FixtureRequest) -> GuardKind:
    """Either guard, on a machine that could have both."""
    told: GuardKind = request.param
    return told


@pytest.fixture(autouse=True)
async def boot(site: Site) -> AsyncIterator[Path]:
    """The machine's boot id, which a test may change."""
    file = site.folder / "boot_id"
    file.write_text("11111111-aaaa\n")
    away = f"while umount {BOOT_ID} 2>/dev/null; do :; done"  # the one that nspawn has made cannot be covered
    site.machine.run("sh", "-ec", f"{away}; mount --bind {file} {BOOT_ID}")
    yield file
    site.machine.run("umount", BOOT_ID)


def guard_on(site: Site, kind: GuardKind, run: str = "r1", *, survives: bool = True, revert: str = "") -> Guard:
    """A guard whose fault is taken back by what inject has noted, and by nothing else."""
    noted = msgspec.structs.replace(
        touching(site.mark),
        inject=f"set -eu\ncd $GAMEDAY_DIR\n{shell.KEEP}echo {site.mark} >made\nkeep made\ntouch {site.mark}\n",
        revert=f'set -eu\n{revert}\nrm -f "$(cat "$GAMEDAY_DIR/made")"\n',
    )
    plan = plan_of(site.node, run, noted, lasting=survives)
    return LeasedGuard(site.node, plan.nodes[0], plan, kind)


async def gone_to(guard: Guard, site: Site) -> Guard:
    await guard.arm()
    await guard.go()
    await eventually(site.mark.exists, 5)
    return guard


async def reset(site: Site, boot: Path) -> None:
    """What a reset button does: nothing in memory is left, nothing that runs, and nobody was asked."""
    while site.run_dir.exists():  # the guard still writes in it
        shutil.rmtree(site.run_dir, ignore_errors=True)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                told = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
                if str(site.run_dir).encode() in told:
                    os.kill(int(entry.name), signal.SIGKILL)
    await eventually(lambda: site.unit() in ("failed", "inactive"), 10)
    site.machine.run("systemctl", "reset-failed", "gameday-guard", check=False)
    boot.write_text("22222222-bbbb\n")
    await site.node.close()
    await eventually(lambda: not processes_of(site.folder), 10)


async def test_what_takes_the_fault_back_lies_on_disk_before_it_is_made(site: Site, kind: GuardKind) -> None:
    guard = guard_on(site, kind)
    await guard.arm()
    undo = site.folder / "undo"
    assert undo.stat().st_mode & 0o777 == (undo / "r1").stat().st_mode & 0o777 == 0o700
    assert (undo / "r1").owner() == "root"
    assert sorted(os.listdir(undo / "r1")) == ["1", "boot", "guard", "settings"]
    for name in ("guard", "settings", "1/revert", "1/clean"):
        assert (undo / "r1" / name).read_text() == (site.run_dir / "r1" / name).read_text()
    assert not site.mark.exists()
    await guard.go()
    await eventually(site.mark.exists, 5)
    assert (undo / "r1" / "1" / "made").read_text() == f"{site.mark}\n"
    assert [trace.state for trace in await survey(site.node)] == ["held"]
    assert (await guard.revert()).status is Status.PASS
    assert (await guard.clean()).status is Status.PASS
    await guard.release()
    assert (os.listdir(undo), site.left()) == ([], [])


async def test_a_node_that_took_itself_back_keeps_no_undo_copy(site: Site, kind: GuardKind) -> None:
    await gone_to(guard_on(site, kind), site)
    await site.node.close()
    await eventually(lambda: site.left() == ["r1.ended"], IN_TIME_S)
    assert os.listdir(site.folder / "undo") == []


async def test_a_busy_node_keeps_no_undo_copy_of_the_second_run(site: Site, kind: GuardKind) -> None:
    guard = await gone_to(guard_on(site, kind), site)
    with pytest.raises(Exception, match="held by run r1"):
        await guard_on(site, kind, "r2").arm()
    assert os.listdir(site.folder / "undo") == ["r1"]
    await guard.revert()
    await guard.release()


async def test_after_a_reset_the_console_takes_back_from_disk_what_it_made(
    site: Site, kind: GuardKind, boot: Path
) -> None:
    guard = await gone_to(guard_on(site, kind), site)
    await reset(site, boot)
    await asyncio.wait_for(guard.lost.wait(), 5)
    proof = await guard.clean()
    assert (proof.status, proof.evidence) == (Status.FAIL, str(site.mark))
    assert (await guard.revert()).status is Status.PASS
    assert not site.mark.exists()
    assert (await guard.clean()).status is Status.PASS
    await guard.release()
    assert (os.listdir(site.folder / "undo"), site.left()) == ([], [])


async def test_after_a_reset_a_sweep_takes_back_from_disk_what_a_dead_console_made(
    site: Site, kind: GuardKind, boot: Path
) -> None:
    fixed = site.folder / "fixed"
    await gone_to(guard_on(site, kind, revert=f"[ -e {fixed} ]"), site)
    await reset(site, boot)
    (trace,) = await survey(site.node)
    assert (trace.run, trace.operator, trace.state) == ("r1", "ann", "leftover")
    assert trace.detail == "its undo copy (the node has rebooted since)"
    with pytest.raises(NotArmed, match=r"run r1 was here before the last reboot, .* `gameday sweep --revert`"):
        await guard_on(site, kind, "r2").arm()
    assert (await clear(site.node, trace)).status is Status.FAIL
    assert os.listdir(site.folder / "undo") == ["r1"]
    fixed.touch()
    (trace,) = await survey(site.node)
    assert (await clear(site.node, trace)).status is Status.PASS
    assert not site.mark.exists()
    assert (os.listdir(site.folder / "undo"), site.left()) == ([], [])
    assert await survey(site.node) == []


async def test_after_a_reset_the_hand_revert_still_works(site: Site, kind: GuardKind, boot: Path) -> None:
    guard = await gone_to(guard_on(site, kind), site)
    await reset(site, boot)
    done = await site.node.run(shlex.split(guard.hand_revert)[-1])
    assert "reverted 0" in done.stdout
    assert not site.mark.exists()
    assert (await guard.clean()).status is Status.PASS
    await guard.release()


async def test_after_a_reset_nothing_is_called_clean_once_the_undo_copy_is_lost(
    site: Site, kind: GuardKind, boot: Path
) -> None:
    guard = await gone_to(guard_on(site, kind), site)
    await reset(site, boot)
    shutil.rmtree(site.folder / "undo")
    for proof in (await guard.revert(), await guard.clean()):
        assert (proof.status, proof.evidence) == (
            Status.UNKNOWN, "its undo copy on redfin was removed: nobody can tell what is left",
        )  # fmt: skip
    site.mark.unlink()


async def test_after_a_reset_a_fault_without_undo_copy_is_proven_by_its_own_scripts(
    site: Site, kind: GuardKind, boot: Path
) -> None:
    guard = await gone_to(guard_on(site, kind, survives=False, revert="exit 0"), site)
    await reset(site, boot)
    assert (await guard.revert()).status is Status.PASS
    proof = await guard.clean()
    assert (proof.status, proof.evidence) == (Status.FAIL, str(site.mark))  # a fault whose class claims too much
    site.mark.unlink()
    assert (await guard.clean()).status is Status.PASS
    await guard.release()
    assert site.left() == []


async def test_a_removed_run_folder_never_passes_for_clean(site: Site, kind: GuardKind, boot: Path) -> None:
    guard = await gone_to(guard_on(site, kind, survives=False), site)
    await reset(site, boot)
    boot.write_text("11111111-aaaa\n")
    assert (await guard.clean()).status is Status.UNKNOWN
    assert (await guard.revert()).status is Status.UNKNOWN
    site.mark.unlink()


async def test_what_was_never_let_go_is_clean_after_a_reset(site: Site, kind: GuardKind, boot: Path) -> None:
    guard = guard_on(site, kind, survives=False)
    await guard.arm()
    await reset(site, boot)
    assert (await guard.revert()).status is Status.PASS
    assert (await guard.clean()).status is Status.PASS
    await guard.release()


FULL = "mkdir $1/up $1/work $1/low; mount -t overlay -o upperdir=$1/up,workdir=$1/work,lowerdir=$1/low overlay $1"


@pytest.mark.parametrize(
    ("options", "then", "why"),
    [
        ("size=1m", "", "undo lies in memory, and this fault outlives a reboot: name an undo_dir on a disk"),
        ("size=1m,ro", "", "undo cannot be written"),
        ("size=1m", f"{FULL}; dd if=/dev/zero of=$1/fill bs=1k || :", "undo/r1 cannot be .*, and this fault outlives"),
    ],
    ids=["memory", "read-only", "full"],
)
async def test_no_guard_where_no_undo_copy_can_be_kept(
    site: Site, kind: GuardKind, options: str, then: str, why: str
) -> None:
    undo = site.folder / "undo"
    undo.mkdir(mode=0o700)
    site.machine.run("sh", "-ec", f"mount -t tmpfs -o {options} tmpfs $1; {then}", "sh", str(undo))
    with pytest.raises(NotArmed, match=why):
        await guard_on(site, kind).arm()
    assert site.left() == []
    site.machine.run("sh", "-c", f"while umount {undo} 2>/dev/null; do :; done")


async def test_no_guard_where_no_undo_folder_can_be_made(site: Site, kind: GuardKind) -> None:
    node = SshNode("redfin", msgspec.structs.replace(site.node.spec, undo_dir="/sys/gameday"))
    plan = plan_of(node, "r1", touching(site.mark), lasting=True)
    with pytest.raises(NotArmed, match="no guard: /sys/gameday cannot be made"):
        await LeasedGuard(node, plan.nodes[0], plan, kind).arm()
    assert site.left() == []
    await node.close()
