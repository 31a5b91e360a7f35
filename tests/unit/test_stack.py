"""The example application does what it says, and each of its flaws is one: real processes, real small disks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.stack import DISK_MB, Program, opened_again, running

ROCKS = {"STACK_ENGINE": "RocksDB"}
KINDS = [("store", {}), ("store", ROCKS), ("database", {})]
IDS = ["LevelDB", "RocksDB", "LMDB"]
each_kind = pytest.mark.parametrize(("name", "environment"), KINDS, ids=IDS)
VALUE = b"x" * 30_000
RECORDS = 5


def until(true: Callable[[], object], limit_s: float = 20.0) -> None:
    end_s = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < end_s, "waited in vain"
        time.sleep(0.02)


def flawed(flaw: str) -> dict[str, str]:
    return {"STACK_BREAK": flaw}


def put_until_full(program: Program, limit_s: float = 20.0) -> list[str]:
    """The keys that were acknowledged before the first refusal, of which there must be one."""
    acknowledged: list[str] = []
    while (answered := program.put(f"k{len(acknowledged)}", VALUE, limit_s)).status == 201:
        acknowledged.append(f"k{len(acknowledged)}")
        assert len(acknowledged) < DISK_MB * 100
    assert (answered.status, answered.content["errno"], answered.content["recoverable"]) == (507, "ENOSPC", True)
    assert "is full: free space" in answered.content["error"]
    return acknowledged


@each_kind
def test_what_is_acknowledged_outlives_a_kill(tmp_path: Path, name: str, environment: dict[str, str]) -> None:
    with running(name, tmp_path, environment=environment) as program:
        for number in range(RECORDS):
            assert program.put(f"k{number}", b"%d" % number).status == 201
        assert program.ask("DELETE", "/records/k0").status == 204
        program.kill()
    with running(name, tmp_path, environment=environment) as program:
        assert program.ask("GET", "/records").body.split() == [b"k1", b"k2", b"k3", b"k4"]
        assert [program.get(f"k{number}").body for number in range(1, RECORDS)] == [b"1", b"2", b"3", b"4"]
        assert program.get("k0").status == 404
        assert program.health() == (200, "ok")


@each_kind
def test_a_full_disk_is_said_survived_and_got_over(tmp_path: Path, name: str, environment: dict[str, str]) -> None:
    metric = "sigil" if name == "store" else "lightning"
    with running(name, tmp_path / "disk", disk=True, environment=environment) as program:
        assert program.put("before", b"kept").status == 201
        program.fill(leave=3 * 4096)  # so that one write is cut short, which LMDB calls an input/output error
        acknowledged = put_until_full(program)
        assert program.get("before").body == b"kept"
        assert program.health() == (200, "degraded")
        assert program.metrics()[f"{metric}_disk_full_error_total"] == 1
        assert program.metrics()[f"{metric}_writable"] == 0
        program.seen("fill").unlink()
        assert program.metrics()[f"{metric}_writable"] == 1, "it goes on by itself"
        assert program.put("after", b"new").status == 201
        kept = {key.decode() for key in program.ask("GET", "/records").body.split()}
        assert kept >= {"before", "after", *acknowledged}
        assert all(program.get(key).body == VALUE for key in acknowledged)


def test_where_nothing_can_be_logged_a_client_is_told_all_the_same(tmp_path: Path) -> None:
    with running("store", tmp_path / "disk", disk=True) as program:
        assert program.process.stdout
        program.process.stdout.close()
        program.fill()
        put_until_full(program)
        assert program.put("again", VALUE).content["errno"] == "ENOSPC"


@each_kind
def test_on_a_read_only_file_system_reads_go_on(tmp_path: Path, name: str, environment: dict[str, str]) -> None:
    with running(name, tmp_path / "disk", disk=True, environment=environment) as program:
        assert program.put("a", b"1").status == 201
        program.mounts('mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"')
        refused = program.put("b", b"2")
        assert (refused.status, refused.content["errno"], refused.content["recoverable"]) == (503, "EROFS", True)
        assert "is read-only: reads go on" in refused.content["error"]
        assert (program.get("a").body, program.health()) == (b"1", (200, "read-only"))
        # Its folder was found under the mount that covers it now: another path, the same folder.
        program.mounts('mount -o remount,bind,rw "$1"')
        assert program.put("b", b"2").status == 201
        assert program.health() == (200, "ok")


@each_kind
def test_a_file_system_that_is_gone_is_an_error_until_it_is_back(
    tmp_path: Path, name: str, environment: dict[str, str]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    with running(name, tmp_path / "disk", disk=True, environment=environment) as program:
        assert program.put("a", b"1").status == 201
        program.mounts('mount --make-rprivate /; mount --move "$1" "$1/../elsewhere"')
        for answered in (program.put("b", b"2"), program.get("a")):
            assert (answered.status, answered.content["errno"]) == (503, "ESTALE")
        assert program.health() == (503, "failed")
        assert not list((tmp_path / "disk").iterdir()), "no empty one was begun below"
        program.mounts('mount --move "$1/../elsewhere" "$1"')
        assert program.get("a").body == b"1"
        assert program.put("b", b"2").status == 201


@pytest.mark.parametrize("name", ["store", "database"])
def test_what_starts_while_its_disk_is_away_begins_nothing_on_the_disk_below(tmp_path: Path, name: str) -> None:
    away = {"SIGIL_DISK": str(tmp_path), "LIGHTNING_DISK": str(tmp_path)}
    with running(name, tmp_path, environment=away) as program:
        assert program.put("a", b"1").content["errno"] == "ESTALE"
        assert program.health() == (503, "failed")
    assert not list(tmp_path.iterdir())


def test_a_database_without_permission_to_write_opens_read_only_and_back(tmp_path: Path) -> None:
    with running("database", tmp_path) as program:
        assert program.put("a", b"1").status == 201
        (tmp_path / "data.mdb").chmod(0o444)
        refused = program.put("b", b"2")
        assert (refused.status, refused.content["errno"], refused.content["recoverable"]) == (503, "EACCES", True)
        assert not held_for_writing(program, "data.mdb")
        assert (program.get("a").body, program.health()) == (b"1", (200, "read-only"))
        (tmp_path / "data.mdb").chmod(0o600)
        assert program.put("b", b"2").status == 201
        assert held_for_writing(program, "data.mdb")


def held_for_writing(program: Program, name: str) -> bool:
    """Whether it has that file open with the right to write."""
    found = [
        file for file in Path(f"/proc/{program.process.pid}/fd").iterdir() if os.readlink(file).endswith(f"/{name}")
    ]
    flags = [(file.parent.parent / "fdinfo" / file.name).read_text().split()[3] for file in found]
    assert flags
    return any(int(flag, 8) & os.O_ACCMODE != os.O_RDONLY for flag in flags)


@pytest.mark.parametrize("environment", [{}, ROCKS], ids=["LevelDB", "RocksDB"])
def test_a_second_store_ends_at_once_and_says_locked(tmp_path: Path, environment: dict[str, str]) -> None:
    with running("store", tmp_path, environment=environment):
        for words in ([], ["open"]):
            second = opened_again(tmp_path, *words, **environment)
            assert (second.returncode, "is LOCKED by another process" in second.stderr) == (1, True)
    assert (tmp_path / "LOCK").exists(), "a stray lock file stops nobody"
    assert opened_again(tmp_path, "open", **environment).returncode == 0


def test_the_stand_in_says_that_it_is_one(tmp_path: Path) -> None:
    with running("store", tmp_path, environment=ROCKS) as program:
        told = program.ask("GET", "/health").content
    assert (told["engine"], told["stands for"]) == ("RocksDB", "LevelDB")


def test_a_disk_that_fails_is_no_trouble_that_goes_away(tmp_path: Path) -> None:
    # LMDB takes a write that the file size limit cuts short for a disk that fails: there is room enough.
    with running("database", tmp_path, fsize=200_000) as program:
        answered = [program.put(f"k{number}", VALUE) for number in range(RECORDS * 2)]
    failed = next(one for one in answered if one.status != 201)
    assert (failed.status, failed.content["errno"], failed.content["recoverable"]) == (500, "EIO", False)


def test_pipes_of_a_killed_one_are_removed_and_no_others(tmp_path: Path) -> None:
    gone, mine = tmp_path / "fiu-999999999.in", tmp_path / f"fiu-{os.getpid()}.in"
    for pipe in (gone, mine):
        os.mkfifo(pipe)
    with running("store", tmp_path / "store", environment={"FIU_CTRL_FIFO": str(tmp_path / "fiu")}):
        assert (gone.exists(), mine.exists()) == (False, True)


def test_flaw_early_ack_loses_what_it_acknowledged(tmp_path: Path) -> None:
    with running("store", tmp_path / "disk", disk=True, environment=flawed("early-ack")) as program:
        program.fill()
        keys = [f"k{number}" for number in range(RECORDS)]
        assert {program.put(key, VALUE).status for key in keys} == {201}
        until(lambda: 404 in {program.get(key).status for key in keys})


def test_flaw_exit_on_full_ends_it(tmp_path: Path) -> None:
    with running("store", tmp_path / "disk", disk=True, environment=flawed("exit-on-full")) as program:
        program.fill()
        with pytest.raises(OSError, match=r"Remote end closed|reset"):
            put_until_full(program)
        assert program.process.wait(5) == 1


def test_flaw_hang_on_full_never_answers(tmp_path: Path) -> None:
    with running("store", tmp_path / "disk", disk=True, environment=flawed("hang-on-full")) as program:
        program.fill()
        with pytest.raises(TimeoutError):
            put_until_full(program, limit_s=1.0)
        assert program.health() == (200, "degraded")


def test_flaw_corrupt_changes_what_was_acknowledged(tmp_path: Path) -> None:
    with running("store", tmp_path / "disk", disk=True, environment=flawed("corrupt")) as program:
        assert program.put("a", b"value").status == 201
        assert program.get("a").body == b"value"
        program.fill()
        put_until_full(program)
        assert program.get("a").body == b"valud"


@pytest.mark.parametrize("name", ["store", "database"])
def test_flaw_no_read_only_refuses_reads(tmp_path: Path, name: str) -> None:
    with running(name, tmp_path, environment=flawed("no-read-only")) as program:
        assert program.put("a", b"1").status == 201
        tmp_path.chmod(0o500)
        assert (program.get("a").status, program.health()) == (503, (503, "failed"))
        tmp_path.chmod(0o700)
        assert program.get("a").body == b"1"


def test_flaw_swallow_eio_acknowledges_what_it_never_stored(tmp_path: Path) -> None:
    with running("database", tmp_path, fsize=200_000, environment=flawed("swallow-eio")) as program:
        answered = {f"k{number}": program.put(f"k{number}", VALUE).status for number in range(RECORDS * 2)}
        swallowed = program.metrics()['lightning_errors_total{errno="EIO"}']
        lost = [key for key, status in answered.items() if status == 201 and program.get(key).status == 404]
    assert 0 < len(lost) == swallowed


def test_flaw_shared_lock_lets_a_second_one_in(tmp_path: Path) -> None:
    with running("store", tmp_path, environment=flawed("shared-lock")) as program:
        assert program.put("a", b"1").status == 201
        assert opened_again(tmp_path, "open").returncode == 0
    with running("store", tmp_path):
        assert opened_again(tmp_path, "open", **flawed("shared-lock")).returncode == 0


def worker_pids(program: Program) -> set[float]:
    return {value for name, value in program.metrics().items() if name.startswith("jobs_worker_pid")}


def test_jobs_replaces_a_killed_worker_and_misbehaves_only_for_who_has_the_token(tmp_path: Path) -> None:
    token = tmp_path / "token"
    known = {"Authorization": "Bearer secret"}
    with running("jobs", tmp_path, environment={"STACK_DEV_TOKEN_FILE": str(token)}) as program:
        until(lambda: program.metrics()["jobs_done_total"] >= 3)
        pids = worker_pids(program)
        assert len(pids) == 3
        names = {Path(f"/proc/{int(pid)}/cmdline").read_text().replace("\0", " ").strip()[-8:] for pid in pids}
        assert names == {"worker 1", "worker 2", "worker 3"}
        assert program.ask("POST", "/dev/worker/kill", headers=known).status == 404, "there is no token"
        token.write_text("secret\n")
        assert program.ask("POST", "/dev/worker/kill", headers={"Authorization": "Bearer guess"}).status == 401
        assert worker_pids(program) == pids
        killed = program.ask("POST", "/dev/worker/kill", headers=known).content["killed"]
        until(lambda: program.metrics()["jobs_worker_restarts_total"] == 1 and len(worker_pids(program)) == 3)
        assert str(killed) not in {str(int(pid)) for pid in worker_pids(program)}

        assert program.ask("POST", "/dev/eventbus/delay?ms=0.3", headers=known).status == 400
        assert program.ask("POST", "/dev/eventbus/delay?ms=300", headers=known).status == 200
        until(lambda: 0.3 <= program.metrics()["jobs_event_delay_seconds"] < 1)
        assert program.ask("POST", "/dev/adapter/fail", headers=known).status == 200
        until(lambda: program.health() == (200, "degraded"))
        assert program.metrics()["jobs_adapter_errors_total"] >= 1
        assert program.ask("POST", "/dev/reset", headers=known).status == 200
        until(lambda: program.metrics()["jobs_event_delay_seconds"] < 0.1 and program.health() == (200, "ok"))
    until(lambda: not any(Path(f"/proc/{int(pid)}").exists() for pid in pids))


def test_flaw_no_respawn_leaves_the_place_empty(tmp_path: Path) -> None:
    with running("jobs", tmp_path, environment=flawed("no-respawn")) as program:
        until(lambda: len(worker_pids(program)) == 3)
        os.kill(int(min(worker_pids(program))), 9)
        until(lambda: program.health() == (200, "degraded"))
        time.sleep(1)
        assert program.metrics()["jobs_workers"] == 2
