"""cpu-pressure: run with real shells; the loops really burn, and none outlives the revert."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.faults.base import Target
from console.faults.cpu_pressure import CpuPressure
from tests.unit.supervised import SHELLS, Ran, sh_of

TARGET = Target(node="greenfin", run="abcdefgh")
HIDDEN = ("stress-ng",)


class Loaded:
    """A node without SSH: the scripts run by path, in a folder of their own."""

    def __init__(self, folder: Path, shell: str, *, stress_ng: bool) -> None:
        self.folder = folder / "run" / "abcdefgh" / "1"
        self.folder.mkdir(parents=True)
        self.path = f"{sh_of(shell, folder)}:{os.environ['PATH']}" if stress_ng else str(_without(folder, shell))

    def run(self, name: str, fault: CpuPressure) -> Ran:
        """Run one of the scripts to its end, without waiting for what it left in the background."""
        file, out = self.folder / name, self.folder / f"{name}.out"
        file.write_text(getattr(fault.scripts(TARGET), name))
        with out.open("w") as sink:
            done = subprocess.run(
                ["sh", str(file)], stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, check=False, timeout=30,
                env={"PATH": self.path, "GAMEDAY_DIR": str(self.folder)},
            )  # fmt: skip
        return Ran(done.returncode, out.read_text().strip())

    def loops(self) -> list[str]:
        """The processes of this run that are still there."""
        return subprocess.run(
            f"grep -lzF 'cpu-pressure {self.folder}' /proc/[0-9]*/environ 2>/dev/null",
            shell=True, capture_output=True, text=True, check=False,
        ).stdout.split()  # fmt: skip


def _without(folder: Path, shell: str) -> Path:
    """A folder for PATH that has everything but stress-ng."""
    where = sh_of(shell, folder)
    for directory in reversed(os.environ["PATH"].split(":")):
        for program in Path(directory).glob("*"):
            if program.name not in HIDDEN and not (where / program.name).is_symlink():
                (where / program.name).symlink_to(program)
    return where


WAYS = [(shell, False) for shell in SHELLS] + ([(SHELLS[0], True)] if shutil.which("stress-ng") else [])


@pytest.fixture(params=WAYS, ids=lambda way: f"{way[0]}{'-stress-ng' if way[1] else ''}")
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Loaded]:
    shell, stress_ng = request.param
    loaded = Loaded(tmp_path, shell, stress_ng=stress_ng)
    yield loaded
    loaded.run("revert", CpuPressure())
    assert loaded.loops() == []


def test_on_every_core_a_loop_is_seen_to_burn_and_one_that_stands_still_is_no_effect(node: Loaded) -> None:
    fault = CpuPressure()
    assert node.run("inject", fault) == Ran(0, "")
    effect = node.run("effect", fault)
    told = re.fullmatch(
        r"(\d+) of (\d+) loops burn: they used (\d+\.\d\d) s of processor time in 1 s; the node is (\d+) % busy",
        effect.said,
    )
    assert told, effect.said
    assert effect.code == 0
    assert (int(told[1]), int(told[2])) == (os.cpu_count(), os.cpu_count())
    assert float(told[3]) > 0
    assert node.run("clean", fault).code == 1
    for file in node.loops():
        os.kill(int(file.split("/")[2]), 19)
    effect = node.run("effect", fault)
    assert (effect.code, effect.said.partition(" of ")[0]) == (1, "0"), effect.said
    assert node.run("revert", fault) == Ran(0, "")
    assert node.loops() == []
    assert node.run("clean", fault) == Ran(0, "")
    assert node.run("revert", fault) == Ran(0, "")


def test_nothing_started_is_no_effect(node: Loaded) -> None:
    assert node.run("effect", CpuPressure()) == Ran(1, "nothing was started")


def test_a_loop_that_nobody_ends_ends_by_itself(node: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.faults.cpu_pressure.OVERTIME_S", 0.0)
    fault = CpuPressure(cores=1, hold_s=1)
    node.run("inject", fault)
    assert node.loops()
    until_s = time.monotonic() + 20
    while node.loops():
        assert time.monotonic() < until_s, node.loops()
        time.sleep(0.2)


def test_preflight_refuses_more_cores_than_there_are(node: Loaded) -> None:
    assert node.run("preflight", CpuPressure(cores=os.cpu_count() or 1)) == Ran(0, "")
    cores = os.cpu_count()
    assert node.run("preflight", CpuPressure(cores=1024)) == Ran(
        1, f"there are only {cores} cores: set cores=all, or at most {cores}"
    )
