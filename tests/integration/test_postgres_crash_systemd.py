"""A7 on a machine with Debian's own PostgreSQL under systemd: it passes, it loses rows, and it never comes back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from console.lab.systemd.setup import CLUSTER_UNIT, CRASH_BACKUPS
from tests.integration.crashes import A7, crashed, evidence, impatient, observed, sentence
from tests.systemd_lab import SystemdLab, systemd_lab_in


def superuser(lab: SystemdLab, sql: str) -> str:
    return lab.on("bluefin", "runuser", "-u", "postgres", "--", "psql", "-XAtc", sql, "federation").strip()


def postmaster(lab: SystemdLab) -> str:
    return lab.on("bluefin", "head", "-n", "1", "/pg_data/main/postmaster.pid").strip()


def nothing_is_left(lab: SystemdLab) -> None:
    assert superuser(lab, "select count(*) from pg_class where relname like 'gameday%'") == "0"
    assert (
        lab.on("bluefin", "sh", "-c", f"ls {CRASH_BACKUPS} | grep -vE '^gameday-federation-.*[.]sql[.]gz$'; true") == ""
    )
    assert lab.inside("sweep").out.count("clean") == 3


@pytest.mark.parametrize("scenario", [A7, "postgres-crash-postmaster"])
def test_debians_cluster_with_a_restart_comes_back_with_every_acknowledged_row(
    systemd_lab: SystemdLab, scenario: str
) -> None:
    lab, before = systemd_lab, postmaster(systemd_lab)
    done = crashed(lab, scenario)
    assert done.code == 0, str(done)
    assert (done.result["effect_proven"], done.result["revert_proven"]) == (True, True)
    assert {told["guard"] for told in done.events if told["event"] == "armed"} == {"systemd"}
    assert postmaster(lab) != before
    assert "acknowledged rows are there" in observed(done, "acknowledged-rows")
    assert observed(done, "integrity").startswith("amcheck found nothing wrong in ")
    assert "restored" not in [told["event"] for told in done.events]
    backup = re.search(rf"{CRASH_BACKUPS}/gameday-federation-\S+-{done.result['run']}.sql.gz", evidence(done, "effect"))
    assert backup
    assert lab.on("bluefin", "stat", "-c", "%a %U", backup[0]) == "600 postgres\n"
    nothing_is_left(lab)


def test_debians_cluster_that_acknowledges_too_early_is_told_with_the_rows(systemd_lab: SystemdLab) -> None:
    lab = systemd_lab
    for setting in ("synchronous_commit = off", "wal_writer_delay = '10s'"):
        superuser(lab, f"alter system set {setting}")
    superuser(lab, "select pg_reload_conf()")
    try:
        done = crashed(lab)
    finally:
        superuser(lab, "alter system reset all")
        superuser(lab, "select pg_reload_conf()")
    assert (done.code, done.result["reason"]) == (1, "data-loss"), str(done)
    assert re.fullmatch(r"data was lost: \d+ of \d+ acknowledged rows are gone \([\d, -]+\)", sentence(done))
    nothing_is_left(lab)


def test_stock_debian_fails_and_says_that_its_unit_claims_to_be_active(tmp_path: Path) -> None:
    with systemd_lab_in(tmp_path, stock_postgres=True) as lab:
        done = crashed(lab, impatient(lab))
        assert (done.code, done.result["outcome"], done.result["reason"]) == (1, "failed", "expectation"), str(done)
        assert sentence(done).startswith("The database answers again by itself: not met within 10 s: ")
        assert sentence(done).endswith(f"; {CLUSTER_UNIT} is failed; yet postgresql.service claims to be active")
        assert f"restored: {CLUSTER_UNIT}" in evidence(done, "reverted")
        [restored] = [told for told in done.events if told["event"] == "restored"]
        assert (restored["service"], restored["status"]) == ("postgresql", "pass")
        assert superuser(lab, "select 1") == "1"
        nothing_is_left(lab)
