"""The guard on systemd: its unit is the lock, and however it ends the fault is taken back. (As root on Linux.)"""

from __future__ import annotations

import asyncio
import signal

import msgspec
import pytest

from console.nodes.guard import Busy, Guard
from console.nodes.ssh import SshNode
from console.nodes.sweep import clear, survey
from console.terms import Status
from tests.integration.guarding import LEASE_S, eventually, guard_of, touching
from tests.integration.sites import IN_TIME_S, LOADED_S, SLACK_S, Site, console_of, going, result_of
from tests.machine import DISK_MB, Machine

pytestmark = pytest.mark.parametrize("site", ["systemd"], indirect=True)


def traces_of(machine: Machine) -> list[str]:
    """Everything on the machine that a guard could leave: units, timers, scopes, mounts, rules, processes."""
    told = machine.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "--type=service,timer,scope")
    units = sorted(line.split()[0] for line in told.splitlines() if "session-" not in line)
    failed = machine.run("systemctl", "--failed", "--plain", "--no-legend").splitlines()
    processes = machine.run("ps", "-eo", "args=").splitlines()
    ours = [line for line in processes if "gameday" in line and "sshd" not in line and "systemd" not in line]
    return units + failed + machine.run("cat", "/proc/mounts").splitlines() + ours


def ended(site: Site, run: str = "r1") -> list[str]:
    """What the node wrote when it took the fault back; empty until it has."""
    file = site.run_dir / f"{run}.ended"
    return file.read_text().splitlines() if file.exists() else []


async def lapsed(site: Site, run: str = "r1") -> list[str]:
    """What the node wrote, once nothing else of the run is left on it."""
    await eventually(lambda: site.left() == [f"{run}.ended"], IN_TIME_S)
    assert not site.mark.exists()
    return ended(site, run)


async def stuck(site: Site, **scripts: str) -> Guard:
    """A guard whose revert fails until the file `fixed` is there, and whose console is gone."""
    guard = await going(site, revert=f"[ -e {site.folder}/fixed ]", **scripts)
    await site.node.close()
    await eventually(lambda: site.unit() == "failed", 5 + LOADED_S)
    return guard


async def test_the_unit_says_who_holds_the_node(site: Site) -> None:
    guard = await going(site)
    assert guard.kind == "systemd"
    shown = site.machine.run("systemctl", "show", "-p", "ActiveState,Description", "gameday-guard").split("\n")
    assert {"ActiveState=active", f"Description=gameday run r1, operator ann, in {site.run_dir}"} <= set(shown)
    assert (site.run_dir / "r1").stat().st_mode & 0o777 == 0o700
    await guard.revert()
    assert site.unit() == "active"  # until the recovery is judged, nobody else may disturb the node
    await guard.release()
    assert site.left() == []


async def test_a_killed_console_leaves_the_machine_as_it_was(site: Site) -> None:
    before = traces_of(site.machine)
    console = await console_of(site)
    console.kill()
    await console.wait()
    assert "why the console's channel ended" in await lapsed(site, "killed")
    assert traces_of(site.machine) == before


@pytest.mark.parametrize(
    "words", [("kill", "--kill-whom=main", "-s", "KILL"), ("kill", "-s", "KILL"), ("kill", "-s", "TERM"), ("stop",)]
)
async def test_when_the_guard_is_killed_or_stopped_systemd_takes_the_fault_back(
    site: Site, words: tuple[str, ...]
) -> None:
    guard = await going(site, inject="sleep 60")
    site.machine.run("systemctl", *words, "gameday-guard")
    await eventually(lambda: not site.mark.exists(), SLACK_S + LOADED_S)
    await eventually(lambda: site.unit() in ("inactive", "failed"), SLACK_S + LOADED_S)
    assert site.unit() == "inactive"
    await asyncio.wait_for(guard.lost.wait(), 5)
    assert "why the guard was stopped or killed" in await lapsed(site)
    assert (await guard.revert()).status is Status.PASS
    assert (await guard.clean()).status is Status.PASS


async def test_a_run_ends_at_its_limit_even_if_the_console_goes_on_asking(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.nodes.guard_leased.RUN_LIMIT_S", 2.0)
    guard = await going(site, inject="sleep 60")
    await asyncio.wait_for(guard.lost.wait(), 5)
    assert "why the run lasted longer than 2 s" in await lapsed(site)
    assert guard.lost_why == "the node let go: the run lasted longer than 2 s"


async def test_a_guard_that_stands_still_is_ended(site: Site) -> None:
    await going(site, inject="sleep 60")
    site.send(signal.SIGSTOP, "r1", "main")
    assert "why the guard stood still" in await lapsed(site)


async def test_a_revert_that_takes_longer_than_the_lease_is_let_end(site: Site) -> None:
    guard = await guard_of(site.node, "r1", touching(site.mark, revert=f"sleep {LEASE_S + 2}"), limit_s=20.0)
    await guard.arm()
    await guard.go()
    assert (await guard.revert()).evidence == "asked to stop: revert exited 0"
    assert (await guard.clean()).status is Status.PASS
    await guard.release()


async def test_a_revert_that_is_killed_with_its_guard_is_begun_again(site: Site) -> None:
    once = site.folder / "once"
    kill = f"[ -e {once} ] || {{ touch {once}; systemctl kill -s KILL gameday-guard; sleep 60; }}"
    await going(site, revert=kill)
    await site.node.close()
    assert "clean 0" in await lapsed(site)
    assert once.exists()


async def test_nothing_that_inject_started_is_alive_when_revert_runs(site: Site) -> None:
    log = site.folder / "log"
    stubborn = "(trap '' TERM HUP; exec sleep 65) & env -i setsid sleep 65 & systemd-run --scope -q sleep 65 &"
    watch = f"ps -eo args= | grep '[s]leep 65$' >>{log} || echo none >>{log}"
    guard = await going(site, inject=f"{stubborn} sleep 65", revert=watch)
    count = ["sh", "-c", "ps -eo args= | grep -c '[s]leep 65$'"]
    await eventually(lambda: site.machine.run(*count, check=False).strip() == "4", 5)
    assert (await guard.revert()).status is Status.PASS
    await guard.release()
    await going(site, "r2", inject=f"{stubborn} sleep 65", revert=watch)
    await eventually(lambda: site.machine.run(*count, check=False).strip() == "4", 5)
    await site.node.close()
    await lapsed(site, "r2")
    assert log.read_text().splitlines() == ["none", "none"]


async def test_a_failed_revert_locks_the_node_until_swept(site: Site) -> None:
    await stuck(site)
    site.machine.run("systemctl", "daemon-reload")
    with pytest.raises(Busy, match="held by run r1, operator ann, "):
        await (await guard_of(site.node, "r2")).arm()
    (trace,) = await survey(site.node)
    assert trace.detail == "the node's lock; its folder (the console's channel ended; reverted 1)"
    assert (await clear(site.node, trace)).status is Status.FAIL
    assert site.unit() == "failed"
    (site.folder / "fixed").touch()
    assert (await clear(site.node, trace)).status is Status.PASS
    assert site.left() == []


async def test_a_hanging_revert_is_ended_and_locks_the_node(site: Site) -> None:
    fixed = site.folder / "fixed"
    guard = await guard_of(site.node, "r1", touching(site.mark, revert=f"[ -e {fixed} ] || sleep 60"), limit_s=1.0)
    await guard.arm()
    await guard.go()
    await eventually(site.mark.exists, 5)
    await site.node.close()
    await eventually(lambda: site.unit() == "failed", 1 + SLACK_S + LOADED_S)
    assert "reverted 124" in ended(site)
    fixed.touch()
    (trace,) = await survey(site.node)
    assert (await clear(site.node, trace)).status is Status.PASS
    assert site.left() == []


async def test_a_unit_is_told_and_cleared_whatever_folder_the_console_looks_in(site: Site) -> None:
    guard = await going(site)
    other = SshNode("redfin", site.machine.spec("/run/elsewhere"))
    (trace,) = await survey(other)
    assert (trace.run, trace.operator, trace.state) == ("r1", "ann", "held")
    assert 0 < (trace.lease_left_s or 0) <= LEASE_S
    with pytest.raises(Busy, match=r"run r1, operator ann, lease [123] s"):
        await (await guard_of(other, "r2")).arm()
    await guard.revert()
    await guard.release()
    await stuck(site)
    (site.folder / "fixed").touch()
    (trace,) = await survey(other)
    assert (trace.run, trace.state) == ("r1", "leftover")
    assert (await clear(other, trace)).status is Status.PASS
    await other.close()
    assert site.left() == []


async def test_a_lock_whose_folder_was_removed_is_cleared(site: Site) -> None:
    await stuck(site)
    site.machine.run("rm", "-rf", str(site.run_dir / "r1"))
    (trace,) = await survey(site.node)
    assert (trace.state, trace.detail) == ("leftover", "the node's lock")
    assert (await clear(site.node, trace)).status is Status.PASS
    assert site.left() == ["r1.ended"]


async def test_a_full_disk_keeps_nothing_from_being_taken_back(site: Site) -> None:
    console = await console_of(site)
    site.machine.run("dd", "if=/dev/zero", "of=/fill", "bs=1M", f"count={DISK_MB}", check=False)
    assert site.machine.run("df", "--output=avail", "/").split()[1] == "0"
    console.kill()
    await console.wait()
    await lapsed(site, "killed")
    guard = await going(site, "r2")
    assert (await guard.revert()).status is Status.PASS
    assert (await guard.clean()).status is Status.PASS
    await guard.release()
    site.machine.run("rm", "/fill")


async def test_a_full_run_folder_keeps_nothing_from_being_taken_back(site: Site) -> None:
    site.machine.run("mkdir", "-p", str(site.run_dir))
    site.machine.run("mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", str(site.run_dir))
    inside = site.machine.run
    await going(site)
    inside("dd", "if=/dev/zero", f"of={site.run_dir}/fill", "bs=4k", check=False)
    await site.node.close()
    await eventually(lambda: not site.mark.exists(), IN_TIME_S)
    await eventually(lambda: site.unit() == "inactive", IN_TIME_S)
    assert inside("ls", str(site.run_dir)).split() == ["fill", "r1.ended"]
    inside("umount", str(site.run_dir))


@pytest.mark.parametrize("verb", ["daemon-reload", "daemon-reexec"])
async def test_the_guard_outlives_changes_of_systemd_itself(site: Site, verb: str) -> None:
    guard = await going(site, inject="sleep 60")
    site.machine.run("systemctl", verb)
    await asyncio.sleep(LEASE_S + 2)
    assert not guard.lost.is_set()
    assert (await guard.effect()).status is Status.PASS
    site.machine.run("systemctl", "kill", "-s", "KILL", "gameday-guard")
    await lapsed(site)


async def test_inject_finds_the_surroundings_that_the_proofs_find(site: Site) -> None:
    script = "echo $HOME $PATH ${NOTIFY_SOCKET-} $(cat /proc/self/oom_score_adj) $(nice)"
    guard = await going(site, inject=script, revert=script)
    told = (await result_of(guard)).output
    asked = await site.node.run("sh -c 'echo $HOME $PATH'", sudo=True)
    assert told == f"{asked.stdout.strip()} 0 0"
    assert told.startswith("/root /")
    assert "\n" not in (await guard.revert()).evidence
    await guard.release()


async def test_a_load_that_inject_makes_keeps_the_guard_not_waiting(site: Site) -> None:
    guard = await going(site, inject="sleep 60")
    pid = (site.run_dir / "r1" / "main.pid").read_text().split()[0]
    assert site.machine.run("ps", "-o", "ni=", "-p", pid).strip() == "-10"
    assert (await guard.revert()).status is Status.PASS
    await guard.release()


async def test_without_root_a_node_with_systemd_gets_the_shell_guard(site: Site) -> None:
    spec = site.machine.spec("/tmp/gameday")
    node = SshNode("redfin", msgspec.structs.replace(spec, sudo=False))
    guard = await guard_of(node, "r1")
    assert guard.kind == "shell"
    await guard.arm()
    await guard.revert()
    await guard.release()
    await node.close()
