"""A7 for real: backup first, the cluster killed, every acknowledged row accounted for; and when it must not pass."""

from __future__ import annotations

import gzip
import json
import re
import shlex
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from tests.approvals import approved, planned
from tests.integration.crashes import A7, crashed, evidence, impatient, observed, sentence
from tests.lab import Lab
from tests.trials import Console


def as_superuser(lab: Lab, *words: str) -> str:
    """The command, on the node, that runs psql as the database's superuser."""
    database = lab.inventory.databases["federation"]
    where = ["-XAtqw", "-h", database.host, "-p", str(database.port), "-U", "lab", database.dbname]
    return f"PGPASSFILE={lab.dir / 'keys' / 'pgpass-superuser'} {shlex.join(['psql', *where, *words])}"


def superuser(lab: Lab, sql: str) -> str:
    return lab.ssh("bluefin", as_superuser(lab, "-c", sql)).strip()


def answers(lab: Lab) -> bool:
    try:
        return superuser(lab, "select 1") == "1"
    except AssertionError:
        return False


def postmaster(lab: Lab) -> str:
    return (lab.dir / "bluefin" / "pgdata" / "postmaster.pid").read_text().split()[0]


def backups(lab: Lab) -> list[Path]:
    return sorted((lab.dir / "bluefin" / "backups").glob("gameday-*"))


def nothing_is_left(lab: Lab) -> None:
    assert lab.wait_until(lambda: answers(lab), 20.0)
    assert superuser(lab, "select count(*) from pg_class where relname like 'gameday%'") == "0"
    assert not [path for path in backups(lab) if path.name.endswith(".partial")]
    assert lab.inside("sweep").out.count("clean") == 3
    assert not lab.marked()


@pytest.mark.parametrize("scenario", [A7])
def test_a_cluster_that_restarts_keeps_every_acknowledged_row_and_passes(lab: Lab, scenario: str) -> None:
    before, kept = postmaster(lab), set(backups(lab))
    done = crashed(lab, scenario)
    assert done.code == 0, str(done)
    assert (done.result["effect_proven"], done.result["revert_proven"]) == (True, True)
    assert postmaster(lab) != before
    assert f"postmaster {before}" in evidence(done, "effect")
    assert "acknowledged rows are there" in observed(done, "acknowledged-rows")
    assert "restored" not in [told["event"] for told in done.events]
    recovery = done.result["recovery"]
    assert 0 < recovery["seconds"] < 60
    assert 0 < recovery["error_s"] < 1
    [backup] = set(backups(lab)) - kept
    assert backup.stat().st_mode & 0o777 == 0o600
    assert b"COPY public.thermal_memory_archive" in gzip.decompress(backup.read_bytes())
    assert done.result["thermal"]["delivered"] is True
    nothing_is_left(lab)


def test_rows_that_were_acknowledged_and_are_gone_are_named(lab: Lab) -> None:
    with settings(lab, synchronous_commit="off", wal_writer_delay="10s"):
        done = crashed(lab)
    assert (done.code, done.result["outcome"], done.result["reason"]) == (1, "failed", "data-loss"), str(done)
    told = re.search(r"data was lost: (\d+) of (\d+) acknowledged rows are gone \(([\d, -]+)\)", sentence(done))
    assert told, sentence(done)
    lost, acknowledged = int(told[1]), int(told[2])
    assert 0 < lost <= acknowledged
    # The last ones before the crash, and so one run of numbers.
    first, _, last = told[3].partition("-")
    assert int(last or first) - int(first) + 1 == lost
    assert told[0].removeprefix("data was lost: ") in observed(done, "acknowledged-rows")
    item = next(told for told in done.events if told["event"] == "item" and told["id"] == "no-data-loss")
    assert (item["status"], item["evidence"]) == ("fail", observed(done, "acknowledged-rows"))
    assert told[3] in lab.psql(
        f"select original_content from thermal_memory_archive where memory_hash = '{done.result['thermal']['hash']}'"
    )
    nothing_is_left(lab)


@contextmanager
def settings(lab: Lab, **values: str) -> Iterator[None]:
    """Change the server's settings for a while."""
    for name, value in values.items():
        superuser(lab, f"alter system set {name} = '{value}'")
    superuser(lab, "select pg_reload_conf()")
    try:
        yield
    finally:
        for name in values:
            superuser(lab, f"alter system reset {name}")
        superuser(lab, "select pg_reload_conf()")


def test_a_cluster_that_nothing_restarts_fails_and_is_started_after_the_verdict(lab: Lab) -> None:
    scenario = impatient(lab)
    with lab.unit("bluefin", "postgresql.service", Restart="no"):
        done = crashed(lab, scenario)
    assert (done.code, done.result["outcome"], done.result["reason"]) == (1, "failed", "expectation"), str(done)
    assert sentence(done).startswith("The database answers again by itself: not met within 10 s: ")
    assert sentence(done).endswith("; postgresql.service is failed")
    assert any("Restart= that covers a kill" in told["text"] for told in done.events if told["event"] == "finding")
    assert "restored: postgresql.service" in evidence(done, "reverted")
    [restored] = [told for told in done.events if told["event"] == "restored"]
    assert (restored["service"], restored["status"]) == ("postgresql", "pass")
    assert done.result["recovery"] is None
    assert done.result["thermal"]["delivered"] is True
    nothing_is_left(lab)


def test_without_a_whole_backup_nothing_is_killed(lab: Lab) -> None:
    before, kept = postmaster(lab), backups(lab)
    with locked(lab, "jr_memory"):  # pg_dump waits for it, and gives up
        done = crashed(lab)
    assert (done.code, done.result["reason"]) == (1, "fault-not-proven"), str(done)
    assert "the backup failed, nothing was killed: " in sentence(done)
    assert "canceling statement due to" in sentence(done)
    assert (postmaster(lab), backups(lab)) == (before, kept)
    nothing_is_left(lab)


@contextmanager
def locked(lab: Lab, table: str) -> Iterator[None]:
    """Hold a table, so that nobody else can read it."""
    node = lab.inventory.nodes["bluefin"]
    with subprocess.Popen(
        ["ssh", "-i", node.identity, "-o", f"UserKnownHostsFile={node.known_hosts}", "-o", "BatchMode=yes",
         "-p", str(node.port), f"{node.user}@{node.address}", as_superuser(lab)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as session:  # fmt: skip
        assert session.stdin
        assert session.stdout
        session.stdin.write(f"begin; lock table {table} in access exclusive mode; select 'locked';\n")
        session.stdin.flush()
        assert session.stdout.readline() == "locked\n"
        try:
            yield
        finally:
            session.stdin.close()  # and with it the session ends, and its lock


@pytest.mark.parametrize(("window", "why"), [("+1h/+1h", "has not opened yet"), ("now/+1s", "has closed")])
def test_outside_of_its_maintenance_window_nothing_is_touched(lab: Lab, window: str, why: str) -> None:
    words = approved(lab, A7, "--window", window)
    if why == "has closed":
        time.sleep(2.1)
    before = postmaster(lab)
    done = lab.run(*words)
    assert (done.code, done.result["outcome"], done.result["reason"]) == (3, "not-run", "refused"), str(done)
    assert sentence(done).startswith("the maintenance window ")
    assert f" UTC {why} (fix: make a new plan with --window START/END)" in sentence(done)
    assert not [told for told in done.events if told["event"] == "arming"]
    assert postmaster(lab) == before


def test_the_window_is_the_plans_own(lab: Lab) -> None:
    plan = planned(lab, A7)
    shown = lab.inside("plan", A7, "--window", "now/+90m")
    assert re.search(r"maintenance window: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d to .* UTC; outside of it nothing", shown.out)
    refused = lab.inside("run", plan, "--window", "now/+2h")
    assert (refused.code, "--window cannot change a plan that is already made" in refused.err) == (2, True), str(
        refused
    )
    text = Path(plan).read_text()
    made = json.loads(text)
    made["window"]["not_after"] = "2099-01-01T00:00:00Z"
    Path(plan).write_text(json.dumps(made))
    edited = lab.inside("run", plan)
    assert (edited.code, "is not bound to the plan's maintenance window" in edited.err) == (3, True), str(edited)


def test_a_database_without_a_backup_folder_is_refused_with_the_fix(lab: Lab) -> None:
    bare = lab.dir / "bare.yaml"
    bare.write_text(
        "".join(line for line in lab.inventory_file.read_text().splitlines(True) if "backup_dir" not in line)
    )
    done = lab.inside("plan", A7, "--inventory", str(bare))
    assert (done.code, "its entry in the inventory lacks 'backup_dir'" in done.err) == (3, True), str(done)


@pytest.mark.parametrize("moment", ["backup", "observe"])
def test_a_killed_console_leaves_neither_the_writer_nor_its_table_nor_half_a_backup(lab: Lab, moment: str) -> None:
    before = postmaster(lab)
    words = approved(lab, A7)
    with locked(lab, "jr_memory") if moment == "backup" else nullcontext():
        console = Console(lab.start("run", *words, "--attest", "all", "--json"))
        reader = threading.Thread(target=console.read, daemon=True)
        reader.start()
        assert console.reaches("prove effect" if moment == "backup" else "observe", 60.0), console.lines[-5:]
        if moment == "backup":
            assert lab.wait_until(lambda: [path for path in backups(lab) if path.name.endswith(".partial")], 10.0)
        console.process.kill()
        console.process.wait()
        reader.join(10.0)
        console.close()
        # A database that is not back yet is waited for first.
        assert lab.wait_until(lambda: not lab.marked() and not _guards(lab), 30.0), lab.marked()
    assert (postmaster(lab) == before) == (moment == "backup")
    nothing_is_left(lab)


def _guards(lab: Lab) -> list[Path]:
    return [path for path in (lab.dir / "bluefin" / "run").iterdir() if path.is_dir()]
