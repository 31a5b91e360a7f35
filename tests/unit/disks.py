"""A node with disks of its own: mounts that only its processes see, and the scripts run there by path (root, Linux)."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from console.faults.base import Fault, Target
from tests.unit.supervised import Ran, sh_of

RUN = "abcdefgh"
DISK_MB = 48


@dataclass
class Node:
    """`disk` is a small ext4, `data` a tmpfs that may stand for what must never be touched, `run` holds the scripts."""

    folder: Path
    pid: int
    shell: str = "dash"
    path: str = field(default_factory=lambda: os.environ["PATH"])

    @property
    def disk(self) -> Path:
        return self.folder / "disk"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def notes(self) -> Path:
        """The action's own folder."""
        return self.folder / "run" / RUN / "1"

    @property
    def undo(self) -> Path:
        """What of it is still there after a reboot."""
        return self.folder / "undo"

    def reboot(self) -> None:
        """The action's folder is as the guard makes it again after a reboot, and the machine has another boot id."""
        self.sh(f"rm -rf {self.notes}; mkdir -p {self.notes}; cp undo/* {self.notes}/; echo another >boot_id; "
                "mount --bind boot_id /proc/sys/kernel/random/boot_id")  # fmt: skip

    def target(self, *never: Path | str, memory_disks: tuple[str, ...] = ()) -> Target:
        return Target(
            node="redfin", run=RUN, never=tuple(map(str, never)), run_dir=str(self.folder / "run"),
            memory_disks=memory_disks,
        )  # fmt: skip

    def command(self, *words: str) -> list[str]:
        """The command that runs these words where the mounts are seen."""
        return ["nsenter", "-t", str(self.pid), "-m", "--wd=/", *words]

    def sh(self, program: str) -> str:
        """Run a program of the test's own there: what it printed."""
        words = self.command("sh", "-euc", f"cd {self.folder}; {program}")
        return subprocess.run(words, check=True, capture_output=True, text=True, timeout=30).stdout

    def put(self, name: str, text: str) -> str:
        """Write a script as the guard would, and tell where."""
        self.sh(f"mkdir -p {self.notes}")
        subprocess.run(
            self.command("tee", str(self.notes / name)), input=text, text=True, check=True, capture_output=True
        )
        return str(self.notes / name)

    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{sh_of(self.shell, self.folder)}:{self.path}",
            "GAMEDAY_DIR": str(self.notes),
            "GAMEDAY_UNDO": str(self.undo),
        }

    def run_text(self, name: str, text: str) -> Ran:
        """Run that script to its end, without waiting for what it left in the background."""
        out = self.folder / f"{name}.out"
        with out.open("w") as sink:
            words = self.command(str(sh_of(self.shell, self.folder) / "sh"), self.put(name, text))
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env=self.environment(),
                check=False,
                timeout=30,
            )
        return Ran(done.returncode, out.read_text().strip())

    def run(self, name: str, fault: Fault, target: Target | None = None) -> Ran:
        """Run one of the fault's scripts."""
        return self.run_text(name, getattr(fault.scripts(target or self.target()), name))

    def used(self) -> str:
        """What lies on the disk, and how many blocks of it are in use."""
        return self.sh("sync -f disk; find disk data -printf '%p %y %s\\n' | sort; stat -f -c '%b %f %a' disk data")


@contextmanager
def node_with_disks(folder: Path, shell: str = "dash") -> Iterator[Node]:
    """A node whose mounts are gone with it."""
    holder = subprocess.Popen(["unshare", "-m", "sleep", "600"], start_new_session=True)
    node = Node(folder, holder.pid, shell)
    try:
        with contextlib.suppress(FileNotFoundError):
            while os.readlink(f"/proc/{holder.pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt"):
                pass
        node.sh(
            "mkdir disk data run undo; mount -t tmpfs -o mode=700 run run; mount -t tmpfs -o size=8m data data; "
            f"truncate -s {DISK_MB}M image; mkfs.ext4 -q -m 2 image; mount -o loop image disk"
        )
        yield node
    finally:
        node.sh("for pid in $(grep -lszF GAMEDAY_FAULT=disk-fill /proc/[0-9]*/environ | cut -d/ -f3); do "
                f"grep -qzF {folder} /proc/$pid/environ && kill -9 $pid || :; done")  # fmt: skip
        holder.kill()
        holder.wait()
