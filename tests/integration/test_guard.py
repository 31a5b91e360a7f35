"""Nothing outlives its lease: the guard without systemd, on a real node's processes."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.nodes.guard import Busy, Guard, InjectResult, NotArmed
from console.nodes.ssh import SshNode
from console.nodes.sweep import clear, survey
from console.terms import Status
from tests.integration.endpoint import Endpoint, endpoint
from tests.integration.guarding import LEASE_S, eventually, guard_of, touching

ROOT = Path(__file__).parents[2]
SLACK_S = 1.0
"""What the node may take to revert and prove, above the lease."""
LOADED_S = 2.0
"""What a loaded test machine may take above that."""


@dataclass
class Site:
    """One node with its run folder, and the file that its fault makes."""

    endpoint: Endpoint
    node: SshNode
    folder: Path

    @property
    def mark(self) -> Path:
        return self.folder / "mark"

    @property
    def run_dir(self) -> Path:
        return self.folder / "run"

    def pid(self, run: str, name: str) -> int:
        return int((self.run_dir / run / f"{name}.pid").read_text().split()[0])

    def left(self) -> list[str]:
        """What lies in the run folder."""
        return sorted(os.listdir(self.run_dir))


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with endpoint(tmp_path) as made:
        node = SshNode("redfin", made.spec())
        yield Site(made, node, tmp_path)
        await node.close()
        await eventually(lambda: not processes_of(tmp_path), 10)


def processes_of(folder: Path) -> list[str]:
    """The command lines of what still runs for a node whose files lie in `folder`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            if str(folder / "run").encode() in line:
                found.append(line.split(b"\0\0")[0].replace(b"\0", b" ").decode()[:200])
    return found


async def going(site: Site, run: str = "r1", **scripts: str) -> Guard:
    """A guard whose inject has made the mark."""
    guard = guard_of(site.node, run, touching(site.mark, **scripts))
    await guard.arm()
    await guard.go()
    await eventually(site.mark.exists, 5)
    return guard


async def result_of(guard: Guard) -> InjectResult:
    """How inject ended, within 5 s."""
    async with asyncio.timeout(5):
        while not (result := await guard.inject_result()):
            await asyncio.sleep(0.1)
    return result


async def test_a_whole_run_leaves_nothing(site: Site) -> None:
    guard = await going(site, inject="echo made $GAMEDAY_RUN in $GAMEDAY_DIR")
    result = await result_of(guard)
    assert (result.exit_status, result.output) == (0, f"made r1 in {site.run_dir}/r1/1")
    assert (await guard.effect()).status is Status.PASS
    assert (await guard.revert()).status is Status.PASS
    assert (await guard.effect()).status is Status.FAIL
    assert (await guard.clean()).status is Status.PASS
    await guard.release()
    assert not guard.lost.is_set()
    assert site.left() == []
    assert processes_of(site.folder) == []


async def test_nothing_is_injected_before_go(site: Site) -> None:
    guard = guard_of(site.node, "r1", touching(site.mark))
    await guard.arm()
    await asyncio.sleep(0.5)
    assert not site.mark.exists()
    assert (await guard.effect()).evidence == "no mark"
    assert (await guard.revert()).status is Status.PASS
    await guard.release()


async def test_a_node_that_is_only_measured_is_held_too(site: Site) -> None:
    guard = guard_of(site.node, "r1")
    await guard.arm()
    assert [trace.state for trace in await survey(site.node)] == ["held"]
    assert (await guard.revert()).status is Status.PASS
    assert (await guard.clean()).status is Status.PASS
    await guard.release()
    assert site.left() == []


async def test_revert_and_release_may_be_repeated(site: Site) -> None:
    guard = await going(site)
    for _ in range(2):
        assert (await guard.revert()).status is Status.PASS
    for _ in range(2):
        await guard.release()
    assert (await guard.revert()).status is Status.PASS
    assert (await guard.clean()).status is Status.PASS


async def test_a_second_console_is_told_who_holds_the_node(site: Site) -> None:
    guard = await going(site)
    with pytest.raises(Busy, match=r"redfin is held by run r1, operator ann, lease [123] s") as refused:
        await guard_of(site.node, "r2", touching(site.mark)).arm()
    assert refused.value.run == "r1"
    assert site.left() == ["guard", "r1"]
    assert not guard.lost.is_set()
    await guard.revert()
    await guard.release()


@pytest.mark.parametrize("times", range(2))
async def test_of_two_consoles_that_arm_at_once_one_holds(site: Site, times: int) -> None:
    guards = [guard_of(site.node, f"r{number}", touching(site.mark)) for number in range(3)]
    said = await asyncio.gather(*(guard.arm() for guard in guards), return_exceptions=True)
    assert sorted(type(one).__name__ for one in said) == ["Busy", "Busy", "NoneType"]
    holder = guards[said.index(None)]
    await holder.revert()
    await holder.release()
    assert site.left() == []


async def console_of(site: Site) -> asyncio.subprocess.Process:
    """A console as a process of its own, after its go."""
    assert site.endpoint.port
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.guarding", str(site.folder), str(site.endpoint.port),
        cwd=ROOT, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    assert (await process.stdout.readline()).decode().strip() == "gone"
    await eventually(site.mark.exists, 5)
    return process


async def test_a_killed_console_leaves_nothing_behind(site: Site) -> None:
    console = await console_of(site)
    console.kill()
    await console.wait()
    await eventually(lambda: site.left() == ["killed.ended"], LEASE_S + SLACK_S + LOADED_S)
    assert not site.mark.exists()
    assert processes_of(site.folder) == []
    assert await survey(site.node) == []


async def test_a_console_that_is_paused_beyond_its_lease_has_lost(site: Site) -> None:
    console = await console_of(site)
    console.send_signal(signal.SIGSTOP)
    await eventually(lambda: not site.mark.exists(), LEASE_S + SLACK_S + LOADED_S)
    await eventually(lambda: site.left() == ["killed.ended"], SLACK_S + LOADED_S)
    console.send_signal(signal.SIGCONT)
    assert console.stdout
    said = (await asyncio.wait_for(console.stdout.readline(), 10)).decode()
    assert said.startswith("lost: ")
    assert await console.wait() == 0


async def test_a_cut_link_reverts_after_the_lease_and_is_known_here(site: Site) -> None:
    guard = await going(site, inject="sleep 60")
    site.endpoint.cut()
    await eventually(lambda: site.left() == ["r1.ended"], LEASE_S + SLACK_S + LOADED_S)
    assert not site.mark.exists()
    await asyncio.wait_for(guard.lost.wait(), LEASE_S)
    assert guard.lost_why
    site.endpoint.mend()
    assert (await guard.revert()).evidence.startswith("nothing was heard from the console for 3 s: revert exited 0")
    assert (await guard.clean()).status is Status.PASS
    await guard.release()
    assert site.left() == []


async def test_a_broken_link_reverts_at_once(site: Site) -> None:
    await going(site, inject="sleep 60")
    await site.node.close()
    await eventually(lambda: site.left() == ["r1.ended"], LOADED_S)
    assert not site.mark.exists()


@pytest.mark.parametrize("victim", ["main", "warden"])
async def test_when_one_half_of_the_guard_is_killed_the_other_reverts(site: Site, victim: str) -> None:
    guard = await going(site, inject="sleep 60")
    os.kill(site.pid("r1", victim), signal.SIGKILL)
    await eventually(lambda: not site.mark.exists(), 0.5 + LOADED_S)
    await asyncio.wait_for(guard.lost.wait(), 5)
    await eventually(lambda: site.left() == ["r1.ended"], 5)
    assert (await guard.revert()).status is Status.PASS
    assert (await guard.clean()).evidence == "proven by the node itself when it took the fault back"


async def test_a_stopped_guard_is_replaced_by_its_warden(site: Site) -> None:
    await going(site, inject="sleep 60")
    os.kill(site.pid("r1", "main"), signal.SIGSTOP)
    await site.node.close()
    await eventually(lambda: site.left() == ["r1.ended"], LEASE_S + SLACK_S + LOADED_S)


async def test_when_both_halves_are_killed_revert_still_works(site: Site) -> None:
    guard = await going(site, inject="sleep 60")
    for victim in ("main", "warden"):
        os.kill(site.pid("r1", victim), signal.SIGSTOP)
    for victim in ("main", "warden"):
        os.kill(site.pid("r1", victim), signal.SIGKILL)
    assert site.mark.exists()
    assert (await guard.revert()).status is Status.PASS
    assert (await guard.clean()).status is Status.PASS
    await guard.release()
    assert site.left() == []


async def test_a_half_way_inject_is_taken_back(site: Site) -> None:
    guard = await going(site, inject="sleep 60")
    assert await guard.inject_result() is None
    with pytest.raises(NotArmed):
        await guard.go()
    assert (await guard.revert()).status is Status.PASS
    result = await result_of(guard)
    assert result.exit_status == 128 + signal.SIGKILL
    await guard.release()


async def test_what_ignores_term_or_leaves_its_session_does_not_survive(site: Site) -> None:
    stubborn = "(trap '' TERM HUP; exec sleep 61) & setsid sleep 62 & sleep 63"
    guard = await going(site, inject=stubborn)
    await eventually(lambda: len([line for line in processes_of(site.folder) if "sleep 6" in line]) == 3, 5)
    assert (await guard.revert()).status is Status.PASS
    assert [line for line in processes_of(site.folder) if "sleep 6" in line] == []
    await guard.release()


async def test_a_failing_inject_tells_its_status_and_words(site: Site) -> None:
    guard = await going(site, inject="echo no room; exit 7")
    result = await result_of(guard)
    assert (result.exit_status, result.output) == (7, "no room")
    assert (await guard.revert()).status is Status.PASS
    await guard.release()


async def test_several_actions_are_reverted_last_first_and_past_a_failing_one(site: Site) -> None:
    log = site.folder / "log"
    actions = [
        touching(
            site.folder / f"mark{n}", inject=f"echo inject {n} >>{log}", revert=f"echo revert {n} >>{log}\n{extra}"
        )
        for n, extra in ((1, ""), (2, "exit 3"), (3, ""))
    ]
    guard = guard_of(site.node, "r1", *actions)
    await guard.arm()
    await guard.go()
    await eventually(lambda: log.exists() and "inject 3" in log.read_text(), 5)
    assert (await guard.effect()).status is Status.PASS
    proof = await guard.revert()
    assert (proof.status, proof.evidence) == (Status.FAIL, "asked to stop: revert exited 3")
    assert [int(line.split()[1]) for line in log.read_text().splitlines()] == [1, 2, 3, 3, 2, 1]
    proof = await guard.clean()
    assert (proof.status, proof.evidence) == (Status.FAIL, str(site.folder / "mark2"))
    (site.folder / "mark2").unlink()
    await guard.release()


async def test_a_failed_revert_may_be_tried_again(site: Site) -> None:
    fixed = site.folder / "fixed"
    guard = await going(site, revert=f"[ -e {fixed} ]")
    assert (await guard.revert()).status is Status.FAIL
    fixed.touch()
    assert (await guard.revert()).status is Status.PASS
    await guard.release()


async def test_a_revert_that_hangs_is_ended_at_its_limit(site: Site) -> None:
    guard = guard_of(site.node, "r1", touching(site.mark, revert="sleep 60"), limit_s=1.0)
    await guard.arm()
    proof = await guard.revert()
    assert (proof.status, proof.evidence) == (Status.FAIL, "asked to stop: revert exited 124: killed after 1 s")
    await guard.release()


async def test_a_revert_that_failed_without_its_console_locks_the_node_until_swept(site: Site) -> None:
    fixed = site.folder / "fixed"
    await going(site, revert=f"[ -e {fixed} ]")
    await site.node.close()
    await eventually((site.run_dir / "r1" / "failed").exists, 5)
    await eventually(lambda: not processes_of(site.folder), 5)
    with pytest.raises(Busy, match="held by run r1, operator ann, "):
        await guard_of(site.node, "r2").arm()
    (trace,) = await survey(site.node)
    assert (trace.run, trace.operator, trace.state) == ("r1", "ann", "leftover")
    assert "the console's channel ended; reverted 1" in trace.detail
    assert (await clear(site.node, trace)).status is Status.FAIL
    assert site.left() == ["guard", "r1", "r1.ended"]
    fixed.touch()
    assert (await clear(site.node, trace)).status is Status.PASS
    assert site.left() == []
    assert await survey(site.node) == []


async def test_a_revert_that_failed_locks_the_node_even_when_it_looks_clean(site: Site) -> None:
    await going(site, revert=f"rm {site.mark}; exit 1")
    await site.node.close()
    await eventually((site.run_dir / "r1" / "failed").exists, 5)
    await eventually(lambda: not processes_of(site.folder), 5)
    assert site.left() == ["guard", "r1", "r1.ended"]
    (trace,) = await survey(site.node)
    assert trace.state == "leftover"
    assert (await clear(site.node, trace)).status is Status.PASS
    assert site.left() == []


async def test_a_sweep_never_touches_what_is_held(site: Site) -> None:
    guard = await going(site)
    (trace,) = await survey(site.node)
    assert (trace.run, trace.operator, trace.state) == ("r1", "ann", "held")
    assert trace.lease_left_s is not None
    assert 0 < trace.lease_left_s <= LEASE_S
    for lie in (trace, type(trace)("redfin", "r1", "ann", "leftover", None, "")):
        assert (await clear(site.node, lie)).status is not Status.PASS
    assert site.mark.exists()
    assert not guard.lost.is_set()
    await guard.revert()
    await guard.release()


async def test_a_sweep_finds_and_ends_a_process_whose_folder_is_gone(site: Site) -> None:
    await site.node.run(f"mkdir -p {site.run_dir}")
    env = {**os.environ, "GAMEDAY_RUN": "old", "GAMEDAY_DIR": f"{site.run_dir}/old/1"}
    left = await asyncio.create_subprocess_exec("sleep", "64", env=env)
    (trace,) = await survey(site.node)
    assert (trace.run, trace.state) == ("old", "leftover")
    assert trace.detail == f"process {left.pid} sleep 64"
    assert (await clear(site.node, trace)).status is Status.PASS
    assert await left.wait() == -signal.SIGKILL


async def test_the_hand_revert_works_without_any_console(site: Site) -> None:
    guard = await going(site)
    words = shlex.split(guard.hand_revert)
    assert words[0] == "ssh"
    assert words[1:3] == ["-p", str(site.endpoint.port)]
    done = await site.node.run(words[-1])
    assert done.exit_status == 0
    assert "reverted 0" in done.stdout
    assert not site.mark.exists()
    await asyncio.wait_for(guard.lost.wait(), 5)
    assert guard.lost_why == "the fault was taken back on the node"
    await guard.release()


async def test_a_folder_of_someone_else_is_not_used(site: Site) -> None:
    (site.folder / "elsewhere").mkdir()
    site.run_dir.symlink_to(site.folder / "elsewhere")
    with pytest.raises(NotArmed, match=r"is not a folder of .*'s own"):
        await guard_of(site.node, "r1").arm()
    assert os.listdir(site.folder / "elsewhere") == []
    site.run_dir.unlink()


async def test_a_full_run_folder_is_not_armed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.nodes.scripts.NEEDED_KB", 1 << 60)
    with pytest.raises(NotArmed, match=r"only \d+ KB are free"):
        await guard_of(site.node, "r1").arm()
    assert site.left() == []


async def test_a_lapsed_guard_refuses_go(site: Site) -> None:
    guard = guard_of(site.node, "r1", touching(site.mark))
    await guard.arm()
    os.kill(site.pid("r1", "feeder"), signal.SIGKILL)
    await asyncio.wait_for(guard.lost.wait(), 5)
    with pytest.raises(NotArmed):
        await guard.go()
    await eventually(lambda: site.left() == ["r1.ended"], 5)
    assert not site.mark.exists()


async def test_the_next_arm_forgets_what_was_proven_clean(site: Site) -> None:
    await going(site)
    await site.node.close()
    await eventually(lambda: site.left() == ["r1.ended"], 5)
    guard = guard_of(site.node, "r2")
    await guard.arm()
    assert site.left() == ["guard", "r2"]
    await guard.revert()
    await guard.release()
