"""A node with a store on a small file system of its own, and a service that has it (root, Linux)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from console.faults.base import StoreTarget, Target
from tests.unit.disks import Node, node_with_disks

UNIT = "sigil.service"
SYSTEMCTL = """\
#!/bin/sh
case $3 in MainPID) cat {folder}/main ;; esac
"""


class StoreNode(Node):
    """The store's files are in `data`, a tmpfs of 8 MB, unless `at` is another mount of the node."""

    at: str = "data"
    others: frozenset[str] = frozenset()
    """Mounts of the machine, which may vanish while the node lives: other tests' networks are mounts too."""

    @property
    def path(self) -> str:
        return f"{self.folder}/bin:{os.environ['PATH']}"

    @path.setter
    def path(self, value: str) -> None:
        """What it was made with is not needed: the node's own programs come first."""

    @property
    def store(self) -> Path:
        """The folder of the store's files."""
        return self.folder / self.at / "db"

    def store_target(self, *never: Path | str, **store: object) -> Target:
        made = StoreTarget("sigil", str(self.store), UNIT)
        return msgspec.structs.replace(
            self.target(*never), store=msgspec.structs.replace(made, **store), units=(UNIT,),
            undo_dir=str(self.folder / "undo"),
        )  # fmt: skip

    def serve(self, program: str, *own_mounts: str) -> subprocess.Popen[bytes]:
        """Let that sh program be the service's main process; `own_mounts`: words of unshare before it."""
        (self.folder / "main").unlink(missing_ok=True)
        words = self.command(*own_mounts, "sh", "-c", f"cd /; echo $$ >{self.folder}/main; {program}")
        service = subprocess.Popen(words, start_new_session=True, stdout=subprocess.DEVNULL)
        while not (self.folder / "main").exists() or not (self.folder / "main").read_text().strip():
            assert service.poll() is None
        return service

    def mounts(self) -> str:
        """All mounts of the node but those it came with, without their numbers."""
        lines = self.sh("cut -d' ' -f3- /proc/self/mountinfo | sort").splitlines()
        return "\n".join(line for line in lines if line not in self.others)


@contextmanager
def store_node(folder: Path, shell: str = "dash", at: str = "data", program: str = "sleep 600") -> Iterator[StoreNode]:
    """A node whose mounts are shared, as systemd makes them, with a service that runs that program."""
    with node_with_disks(folder, shell) as plain:
        node = StoreNode(plain.folder, plain.pid, shell)
        node.at = at
        (folder / "bin").mkdir()
        (folder / "bin" / "systemctl").write_text(SYSTEMCTL.format(folder=folder))
        (folder / "bin" / "systemctl").chmod(0o755)
        # The root of the namespace is not shared with the machine's: these groups are the node's own.
        node.sh(f"mount --make-rshared /; mkdir {at}/db; echo one >{at}/db/CURRENT")
        node.others = frozenset(line for line in node.mounts().splitlines() if str(folder) not in line)
        service = node.serve(program) if program else None
        try:
            yield node
        finally:
            if service:
                service.kill()
                service.wait()
            node.sh(f"for pid in $(grep -lszF GAMEDAY_FAULT=store- /proc/[0-9]*/environ | cut -d/ -f3); do "
                    f"grep -qzF {folder} /proc/$pid/environ && kill -9 $pid || :; done")  # fmt: skip
