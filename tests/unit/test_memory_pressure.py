"""memory-pressure: run with real shells; the memory is really taken, and none of it stays after the revert."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.faults.base import Target
from console.faults.memory import KILLED, MB, memory
from console.faults.memory_pressure import _GOAL, MemoryPressure
from console.plan.preview import question
from console.plan.probe import FilesystemProbe, MemoryProbe
from tests.unit.programs import without
from tests.unit.supervised import SHELLS, Ran, sh_of

TARGET = Target(node="greenfin", run="abcdefgh")
WAYS = [(shell, False) for shell in SHELLS] + ([(SHELLS[0], True)] if shutil.which("stress-ng") else [])


class Pressed:
    """A node without SSH: the scripts run by path, in a folder of their own."""

    def __init__(self, folder: Path, shell: str, *, stress_ng: bool) -> None:
        self.folder = folder / "run" / "abcdefgh" / "1"
        self.folder.mkdir(parents=True)
        programs = os.environ["PATH"] if stress_ng else str(without("stress-ng"))
        self.path = f"{sh_of(shell, folder)}:{programs}"

    def run(self, name: str, fault: MemoryPressure) -> Ran:
        """Run one of the scripts to its end, without waiting for what it left in the background."""
        return self.text(name, getattr(fault.scripts(TARGET), name))

    def text(self, name: str, program: str) -> Ran:
        file, out = self.folder / name, self.folder / f"{name}.out"
        file.write_text(program)
        with out.open("w") as sink:
            done = subprocess.run(
                ["sh", str(file)], stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, check=False, timeout=60,
                env={"PATH": self.path, "GAMEDAY_DIR": str(self.folder)},
            )  # fmt: skip
        return Ran(done.returncode, out.read_text().strip())

    def grown(self, fault: MemoryPressure) -> Ran:
        """The effect, once it is no more under way."""
        until_s = time.monotonic() + 30
        while (effect := self.run("effect", fault)).code == 3:
            assert effect.said.startswith("in progress: ")
            assert time.monotonic() < until_s, effect.said
        return effect

    def holders(self) -> dict[int, str]:
        """The processes of this run that are still there, by their names."""
        found = subprocess.run(
            f"grep -lszF 'memory-pressure {self.folder}' /proc/[0-9]*/environ",
            shell=True, capture_output=True, text=True, check=False,
        ).stdout.split()  # fmt: skip
        names = {}
        for file in found:
            with contextlib.suppress(OSError):  # it may have ended
                names[int(file.split("/")[2])] = Path(file).with_name("comm").read_text().strip()
        return names


@pytest.fixture(params=WAYS, ids=lambda way: f"{way[0].replace(' ', '-')}{'-stress-ng' if way[1] else ''}")
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pressed]:
    shell, stress_ng = request.param
    made = Pressed(tmp_path, shell, stress_ng=stress_ng)
    yield made
    made.run("revert", MemoryPressure())


def test_the_memory_is_taken_proven_and_given_back(node: Pressed) -> None:
    fault = MemoryPressure(size="96MB")
    preflight = node.run("preflight", fault)
    assert preflight.code == 0
    assert re.fullmatch(r"96 MB of \d+ MB are to be held, \d+ MB are to be had", preflight.said)
    assert node.run("inject", fault).code == 0
    effect = node.grown(fault)
    assert effect.code == 0, effect.said
    told = re.fullmatch(r"(\d+) MB of 96 MB held by ours; \d+ MB of \d+ MB are to be had, \d+ MB before", effect.said)
    assert told, effect.said
    assert 93 <= int(told[1]) <= 115  # what the effect allows: a fiftieth and a MB less
    assert node.run("clean", fault).said.startswith("processes of memory-pressure are left: ")
    revert = node.run("revert", fault)
    assert revert.code == 0, revert.said
    assert node.holders() == {}
    assert node.run("clean", fault).code == 0
    assert node.run("effect", fault).code == 1
    assert node.run("revert", fault).code == 0


def test_the_kernel_takes_ours_first(node: Pressed) -> None:
    fault = MemoryPressure(size="16MB")
    node.run("inject", fault)
    node.grown(fault)
    held = {
        pid: int(Path(f"/proc/{pid}/smaps_rollup").read_text().split("Pss:")[1].split()[0]) for pid in node.holders()
    }
    biggest = max(held, key=lambda pid: held[pid])
    assert Path(f"/proc/{biggest}/oom_score_adj").read_text() == "1000\n"
    assert Path("/proc/self/oom_score_adj").read_text() != "1000\n"


def test_holders_that_were_killed_end_the_effect(node: Pressed) -> None:
    fault = MemoryPressure(size="32MB")
    node.run("inject", fault)
    assert node.grown(fault).code == 0
    for pid, name in node.holders().items():
        if name in ("stress-ng", "tail"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    effect = node.run("effect", fault)
    assert effect.code == 1
    assert re.match(r"\d+ MB of 32 MB held by ours; .*: they ended", effect.said), effect.said


def test_what_the_kernel_killed_is_a_finding_and_the_reason(tmp_path: Path) -> None:
    node = Pressed(tmp_path, SHELLS[0], stress_ng=False)
    fault = MemoryPressure(size="16MB")
    node.run("inject", fault)
    assert node.grown(fault).code == 0
    before = int((node.folder / "killed").read_text())
    counted = f"killed() {{ echo {before + 2}; }}\n"
    program = fault.scripts(TARGET).effect.replace(KILLED, counted)
    effect = node.text("effect", program)
    assert effect.code == 0
    assert effect.said.splitlines()[0] == "finding: the kernel killed 2 process(es) for want of memory"
    assert re.match("1[67] MB of 16 MB held", node.run("effect", fault).said)
    node.run("revert", fault)
    effect = node.text("effect", program)
    assert effect.code == 1
    assert effect.said.endswith(": the kernel killed them for want of memory")


@pytest.mark.parametrize("allow_oom", [False, True])
def test_what_cannot_be_held_is_refused_unless_the_kernel_may_kill(tmp_path: Path, allow_oom: bool) -> None:
    node = Pressed(tmp_path, SHELLS[0], stress_ng=False)
    preflight = node.run("preflight", MemoryPressure(size="9000GB", allow_oom=allow_oom))
    if allow_oom:
        assert preflight.code == 0
        assert preflight.said.startswith("warning: 9216000 MB of ")
    else:
        assert preflight.code == 3
        assert "the kernel would kill for the rest\nfix: take less, --set percent=" in preflight.said
        assert node.run("inject", MemoryPressure(size="9000GB")).code == 3
        assert node.holders() == {}


GIB = 1024**3
LAYOUTS = {
    "a machine": ("0::/init.scope\n", {}, (8192, 4096)),
    "a container on v2": (
        "0::/init.scope\n",
        {"memory.max": 2 * GIB, "memory.current": GIB, "memory.stat": f"anon 5\ninactive_file {GIB // 2}\n"},
        (2048, 1536),
    ),
    "a group on v2 that holds the first process": (
        "0::/box/init.scope\n",
        {"box/memory.max": GIB, "box/memory.current": GIB // 4, "box/memory.stat": "inactive_file 0\n",
         "box/init.scope/memory.max": "max\n"},
        (1024, 768),
    ),
    "a group on v1": (
        "7:pids:/box\n5:cpu,memory:/box\n1:name=systemd:/box\n",
        {"memory/box/memory.limit_in_bytes": GIB, "memory/box/memory.usage_in_bytes": GIB // 2,
         "memory/box/memory.stat": f"inactive_file 1\ntotal_inactive_file {GIB // 4}\n",
         "memory/memory.limit_in_bytes": 9223372036854771712},
        (1024, 768),
    ),
    "a limit that is no limit": (
        "0::/\n", {"memory.max": 64 * GIB, "memory.current": GIB, "memory.stat": "inactive_file 0\n"}, (8192, 4096)
    ),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shell", SHELLS)
def test_a_containers_limit_counts_where_it_is_less_than_the_memory(tmp_path: Path, shell: str, layout: str) -> None:
    groups, files, expected_mb = LAYOUTS[layout]
    (tmp_path / "cgroup").write_text(groups)
    (tmp_path / "meminfo").write_text(f"MemTotal: {8 * 1024**2} kB\nMemFree: 1 kB\nMemAvailable: {4 * 1024**2} kB\n")
    for name, text in files.items():
        file = tmp_path / "tree" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    program = memory(None)
    places = {"/proc/1/cgroup": "cgroup", "/proc/meminfo": "meminfo", "/sys/fs/cgroup": "tree"}
    for real, made in places.items():
        assert real in program
        program = program.replace(real, str(tmp_path / made))
    words = [*shell.split(), "-euc", f"{program}memory; echo $((all_kb / 1024)) $((free_kb / 1024))"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert tuple(map(int, done.stdout.split())) == expected_mb


@pytest.mark.parametrize(
    ("limit_mb", "expected_mb"), [(1024, "1024 904"), (100, "100 0"), (4096, "4096 2048"), (9000, "8192 2048")]
)
@pytest.mark.parametrize("shell", SHELLS)
def test_the_inventorys_limit_counts_where_it_is_less_and_what_the_nodes_processes_hold_is_added_up(
    tmp_path: Path, shell: str, limit_mb: int, expected_mb: str
) -> None:
    (tmp_path / "cgroup").touch()
    (tmp_path / "meminfo").write_text(f"MemTotal: {8 * 1024**2} kB\nMemAvailable: {2 * 1024**2} kB\n")
    for pid, (pss, swapped) in {7: (60, 20), 12: (40, 0)}.items():
        (tmp_path / str(pid)).mkdir()
        rollup = f"Rss: 999999 kB\nPss: {pss * 1024} kB\nPss_Anon: 5 kB\nSwapPss: {swapped * 1024} kB\n"
        (tmp_path / str(pid) / "smaps_rollup").write_text(rollup)
    program = memory(limit_mb)
    for real, made in {"/proc/1/cgroup": "cgroup", "/proc/meminfo": "meminfo", "/proc/[0-9]": "[0-9]"}.items():
        assert real in program
        program = program.replace(real, str(tmp_path / made))
    words = [*shell.split(), "-euc", f"{program}memory; echo $((all_kb / 1024)) $((free_kb / 1024))"]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip() == expected_mb


def test_a_share_is_of_what_the_node_has() -> None:
    for percent, free_kb, code in ((70, 900, 0), (70, 600, 3)):
        program = (
            f"memory() {{ all_kb=$((1000 * 1024)) free_kb=$(({free_kb} * 1024)); }}\n{MB}{_GOAL}"
            f"percent={percent} size=0 oom_ok=0\ngoal\necho $goal\n"
        )
        done = subprocess.run(["sh", "-euc", program], capture_output=True, text=True, check=False)
        assert done.returncode == code
        if code == 0:
            assert done.stdout.splitlines()[-1] == str(700 * 1024)
        else:
            assert "--set percent=55" in done.stdout


def test_a_probe_is_told_in_words() -> None:
    assert question(MemoryProbe(node="greenfin", state="risen")).endswith("has risen by 50 points")
    assert question(FilesystemProbe(node="redfin", path="/tmp", state="fallen-back")).endswith(
        "of /tmp is as before, give or take 2 points"
    )
