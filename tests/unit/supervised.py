"""A node without SSH: the lab's supervisor and systemctl, real processes, and the faults' scripts run by path."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from console.faults.base import Scripts
from console.lab import systemctl
from console.lab.layout import NodeLayout
from console.lab.supervisor import Supervisor

SHELLS = [shell for shell in ("dash", "bash", "busybox sh") if shutil.which(shell.split()[0])]
PATTERN = "uvicorn gateway:app"


def sh_of(shell: str, folder: Path) -> Path:
    """A folder for PATH in which `sh` is that shell."""
    where = folder / "sh"
    where.mkdir(exist_ok=True)
    with contextlib.suppress(FileExistsError):
        (where / "sh").symlink_to(shutil.which(shell.split(maxsplit=1)[0]) or shell)
    return where


@dataclass
class Ran:
    """What a script said."""

    code: int
    said: str


@dataclass
class SupervisedNode:
    """Runs scripts as a guard would: by path, in the run's folder."""

    layout: NodeLayout
    shell: str

    @property
    def run_dir(self) -> Path:
        return self.layout.run / "abcdefgh" / "0"

    def environment(self) -> dict[str, str]:
        path = f"{self.layout.bin}:{sh_of(self.shell, self.layout.root)}:{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "GAMEDAY_DIR": str(self.run_dir), "GAMEDAY_UNDO": str(self.run_dir)}

    async def run(self, scripts: Scripts, name: str) -> Ran:
        """Run one of the scripts to its end, without waiting for what it left in the background."""
        self.run_dir.mkdir(parents=True, exist_ok=True)
        file = self.run_dir / name
        file.write_text(getattr(scripts, name))
        out = self.layout.log / f"{name}.out"
        with out.open("w") as sink:
            process = await asyncio.create_subprocess_exec(
                str(sh_of(self.shell, self.layout.root) / "sh"), str(file), stdin=asyncio.subprocess.DEVNULL,
                stdout=sink, stderr=sink, env=self.environment(), start_new_session=True,
            )  # fmt: skip
            code = await process.wait()
        return Ran(code, out.read_text().strip())

    async def systemctl(self, *words: str) -> str:
        """What the node's systemctl says."""
        process = await asyncio.create_subprocess_exec(
            str(self.layout.bin / "systemctl"), *words, stdout=asyncio.subprocess.PIPE, env=self.environment()
        )
        out, _ = await process.communicate()
        return out.decode().strip()

    async def show(self, unit: str, what: str) -> str:
        """One property of a unit."""
        return await self.systemctl("show", "-p", what, "--value", unit)

    async def until(self, unit: str, what: str, wanted: str, limit_s: float = 10.0) -> None:
        """Wait until a unit's property has that value."""
        async with asyncio.timeout(limit_s):
            while await self.show(unit, what) != wanted:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def supervised(root: Path, shell: str, units: dict[str, str]) -> AsyncIterator[SupervisedNode]:
    """A node that runs these units (name -> lines of its [Service] section; without ExecStart: one that waits)."""
    layout = NodeLayout(root / "node")
    layout.make()
    systemctl.install(layout)
    for name, lines in units.items():
        start = "" if "ExecStart=" in lines else f"ExecStart=/bin/sh -c 'while sleep 1; do :; done' '{PATTERN}'\n"
        (layout.units / f"{name}.service").write_text(f"[Service]\n{start}{lines}\n")
    supervisor = Supervisor(layout, {"PATH": os.environ["PATH"], "HOME": str(layout.home), "GAMEDAY_NODE": "test"})
    try:
        await supervisor.start()
        yield SupervisedNode(layout, shell)
    finally:
        await supervisor.shut_down()
