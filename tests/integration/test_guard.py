"""Nothing outlives its lease: what both kinds of guard hold to, on a real node's processes."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import signal

import pytest

from console.nodes.guard import Busy, NotArmed
from console.nodes.sweep import clear, survey
from console.terms import Status
from tests.integration.guarding import LEASE_S, eventually, guard_of, touching
from tests.integration.sites import (
    IN_TIME_S,
    LOADED_S,
    SLACK_S,
    Site,
    console_of,
    going,
    processes_of,
    result_of,
)


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
    guard = await guard_of(site.node, "r1", touching(site.mark))
    await guard.arm()
    await asyncio.sleep(0.5)
    assert not site.mark.exists()
    assert (await guard.effect()).evidence == "no mark"
    assert (await guard.revert()).status is Status.PASS
    await guard.release()


async def test_a_node_that_is_only_measured_is_held_too(site: Site) -> None:
    guard = await guard_of(site.node, "r1")
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
        await (await guard_of(site.node, "r2", touching(site.mark))).arm()
    assert refused.value.run == "r1"
    assert site.left() == ["guard", "r1"]
    assert not guard.lost.is_set()
    await guard.revert()
    await guard.release()


@pytest.mark.parametrize("times", range(2))
async def test_of_two_consoles_that_arm_at_once_one_holds(site: Site, times: int) -> None:
    guards = [await guard_of(site.node, f"r{number}", touching(site.mark)) for number in range(3)]
    said = await asyncio.gather(*(guard.arm() for guard in guards), return_exceptions=True)
    assert sorted(type(one).__name__ for one in said) == ["Busy", "Busy", "NoneType"]
    holder = guards[said.index(None)]
    await holder.revert()
    await holder.release()
    assert site.left() == []


async def test_a_detached_guard_holds_its_time_without_a_console_and_then_proves_the_node_clean(site: Site) -> None:
    guard = await going(site, inject="sleep 60")
    await guard.detach(LEASE_S + 6)  # a busy machine takes its time for what is between
    (trace,) = await survey(site.node)
    assert trace.state == "held"
    assert trace.until_s is not None
    assert re.fullmatch(r"until \d\d:\d\d:\d\d \([4-9] s left\), when the node takes it back by itself", trace.lease)
    with pytest.raises(Busy):
        await (await guard_of(site.node, "r2", touching(site.mark))).arm()
    await site.node.close()
    await asyncio.sleep(LEASE_S + 0.5)
    assert site.mark.exists()
    await eventually(lambda: site.left() == ["r1.ended"], 6 + SLACK_S + LOADED_S)
    said = (site.run_dir / "r1.ended").read_text().splitlines()
    assert {"why the time for which the node was to hold it is over", "reverted 0", "clean 0"} <= set(said)
    assert not site.mark.exists()
    assert processes_of(site.folder) == []


async def test_a_detached_guard_is_stopped_by_hand_like_any_other(site: Site) -> None:
    guard = await going(site, inject="sleep 60")
    await guard.detach(60)
    stopped = await site.node.run(f"sh {site.run_dir}/r1/guard stop", sudo=True)
    assert stopped.exit_status == 0, stopped
    assert not site.mark.exists()
    (trace,) = await survey(site.node)
    assert trace.state == "held"
    script = f"sh {site.run_dir}/r1/guard"
    assert (await site.node.run(f"{script} ask clean 900", sudo=True)).exit_status == 0
    released = await site.node.run(f"{script} release", sudo=True)
    assert released.exit_status == 0, released
    assert site.left() == []


async def test_a_killed_console_leaves_nothing_behind(site: Site) -> None:
    console = await console_of(site)
    console.kill()
    await console.wait()
    await eventually(lambda: site.left() == ["killed.ended"], IN_TIME_S)
    assert not site.mark.exists()
    assert processes_of(site.folder) == []
    assert await survey(site.node) == []


async def test_a_console_that_is_paused_beyond_its_lease_has_lost(site: Site) -> None:
    console = await console_of(site)
    console.send_signal(signal.SIGSTOP)
    await eventually(lambda: not site.mark.exists(), IN_TIME_S)
    await eventually(lambda: site.left() == ["killed.ended"], SLACK_S + LOADED_S)
    console.send_signal(signal.SIGCONT)
    assert console.stdout
    said = (await asyncio.wait_for(console.stdout.readline(), 10)).decode()
    assert said.startswith("lost: ")
    assert await console.wait() == 0


async def test_a_cut_link_reverts_after_the_lease_and_is_known_here(site: Site) -> None:
    guard = await going(site, inject="sleep 60")
    site.on.cut()
    await eventually(lambda: site.left() == ["r1.ended"], IN_TIME_S)
    assert not site.mark.exists()
    await asyncio.wait_for(guard.lost.wait(), LEASE_S)
    assert guard.lost_why
    site.on.mend()
    assert (await guard.revert()).evidence.startswith("nothing was heard from the console for 3 s: revert exited 0")
    assert (await guard.clean()).status is Status.PASS
    await guard.release()
    assert site.left() == []


async def test_a_broken_link_reverts_at_once(site: Site) -> None:
    await going(site, inject="sleep 60")
    await site.node.close()
    await eventually(lambda: site.left() == ["r1.ended"], LOADED_S)
    assert not site.mark.exists()


async def test_a_stopped_guard_is_replaced_by_its_warden(site: Site) -> None:
    await going(site, inject="sleep 60")
    site.send(signal.SIGSTOP, "r1", "main")
    await site.node.close()
    await eventually(lambda: site.left() == ["r1.ended"], IN_TIME_S)


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
    guard = await guard_of(site.node, "r1", *actions)
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
    guard = await guard_of(site.node, "r1", touching(site.mark, revert="sleep 60"), limit_s=1.0)
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
        await (await guard_of(site.node, "r2")).arm()
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


async def test_what_is_not_proven_clean_without_its_console_stays_locked(site: Site) -> None:
    fixed = site.folder / "fixed"
    await going(site, clean=f"[ -e {fixed} ] || {{ echo dirt; exit 1; }}")
    await site.node.close()
    await eventually((site.run_dir / "r1" / "failed").exists, 5)
    assert not site.mark.exists()
    await eventually(lambda: not processes_of(site.folder), 5)
    (trace,) = await survey(site.node)
    proof = await clear(site.node, trace)
    assert proof.status is Status.FAIL
    assert proof.evidence.endswith("clean 1\ndirt")
    assert site.left() == ["guard", "r1", "r1.ended"]
    fixed.touch()
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
    words = ["env", "GAMEDAY_RUN=old", f"GAMEDAY_DIR={site.run_dir}/old/1", "sleep", "64"]
    left = await asyncio.create_subprocess_exec(*site.command(*words))
    (trace,) = await survey(site.node)
    assert (trace.run, trace.state) == ("old", "leftover")
    assert re.fullmatch(r"process \d+ sleep 64", trace.detail)
    assert (await clear(site.node, trace)).status is Status.PASS
    assert await left.wait() == -signal.SIGKILL


async def test_the_hand_revert_works_without_any_console(site: Site) -> None:
    guard = await going(site)
    words = shlex.split(guard.hand_revert)
    spec = site.node.spec
    assert words[:3] == (["ssh", "-i", spec.identity] if spec.port == 22 else ["ssh", "-p", str(spec.port)])
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
        await (await guard_of(site.node, "r1")).arm()
    assert os.listdir(site.folder / "elsewhere") == []
    site.run_dir.unlink()


async def test_a_full_run_folder_is_not_armed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.nodes.scripts.NEEDED_KB", 1 << 60)
    with pytest.raises(NotArmed, match=r"only \d+ KB are free"):
        await (await guard_of(site.node, "r1")).arm()
    assert site.left() == []


async def test_a_lapsed_guard_refuses_go(site: Site) -> None:
    guard = await guard_of(site.node, "r1", touching(site.mark))
    await guard.arm()
    site.send(signal.SIGKILL, "r1", "feeder")
    await asyncio.wait_for(guard.lost.wait(), 5)
    with pytest.raises(NotArmed):
        await guard.go()
    await eventually(lambda: site.left() == ["r1.ended"], 5)
    assert not site.mark.exists()


async def test_the_next_arm_forgets_what_was_proven_clean(site: Site) -> None:
    await going(site)
    await site.node.close()
    await eventually(lambda: site.left() == ["r1.ended"], 5)
    guard = await guard_of(site.node, "r2")
    await guard.arm()
    assert site.left() == ["guard", "r2"]
    await guard.revert()
    await guard.release()


async def test_a_stop_that_meets_a_guard_which_is_vanishing_keeps_its_proof(site: Site) -> None:
    guard = await going(site)
    await site.node.close()
    await eventually(lambda: site.left() == ["r1.ended"], 5)
    ended = (site.run_dir / "r1.ended").read_text()
    assert "clean 0" in ended.splitlines()
    # What is left of the folder while it is being removed.
    again = await guard_of(site.node, "r2", touching(site.mark))
    await again.arm()
    await site.node.run(f"sh -c 'cd {site.run_dir}; cp -R r2 r1; rm -f r1/*.pid; rm -f r2.ended'", sudo=True)
    (site.run_dir / "r1.ended").write_text(ended)
    for name in ("guard", "settings"):
        text = (site.run_dir / "r2" / name).read_text().replace("/r2", "/r1")
        (site.run_dir / "r1" / name).write_text(text)
    assert (await guard.revert()).status is Status.PASS
    assert (site.run_dir / "r1.ended").read_text() == ended
    await site.node.run(f"rm -rf {site.run_dir}/r1", sudo=True)
    assert (await guard.clean()).evidence == "proven by the node itself when it took the fault back"
    await again.revert()
    await again.release()
