"""A real systemd lab for tests (root): as tests.lab, with the means to work on its machines past SSH."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from console.errors import NodeUnreachable
from console.lab.layout import LabLayout
from console.lab.systemd import outside
from console.lab.systemd.inside import command_inside
from console.lab.systemd.network import CONSOLE_PORT, SWITCH_PID
from console.lab.systemd.setup import LOG
from tests.lab import Lab

CONSOLE = CONSOLE_PORT
"""The console's end of its cable, beside the nodes' names."""


class SystemdLab(Lab):
    """One systemd lab in its own folder."""

    def on(self, node: str, *words: str, check: bool = True, stdin: str = "") -> str:
        """Run a program on a machine as root, past SSH: what it printed."""
        done = subprocess.run(
            command_inside(LabLayout(self.dir).node(node), *words),
            capture_output=True, text=True, check=False, timeout=60, input=stdin,
        )  # fmt: skip
        assert done.returncode == 0 or not check, f"{words}: {done.stderr or done.stdout}"
        return done.stdout

    def is_on(self, node: str) -> bool:
        """Whether that machine's systemd has everything up."""
        try:
            return self.on(node, "systemctl", "is-system-running", check=False).strip() in ("running", "degraded")
        except NodeUnreachable:
            return False

    def log(self, node: str, name: str) -> list[dict[str, Any]]:
        """The JSON lines of one of the node's logs."""
        return [json.loads(line) for line in self.on(node, "cat", f"{LOG}/{name}").splitlines()]

    @contextmanager
    def unit(self, node: str, unit: str, **settings: str) -> Iterator[None]:
        """Change lines of a unit's [Service] section for a while, as an administrator would, by a drop-in."""
        folder = f"/etc/systemd/system/{unit}.d"
        lines = "".join(f"{key}={value}\n" for key, value in settings.items())
        self.on(node, "mkdir", "-p", folder)
        self.on(node, "tee", f"{folder}/zz-test.conf", stdin=f"[Service]\n{lines}")
        self.on(node, "systemctl", "daemon-reload")
        try:
            yield
        finally:
            self.on(node, "sh", "-euc", f"rm {folder}/zz-test.conf; rmdir --ignore-fail-on-non-empty {folder}")
            self.on(node, "systemctl", "daemon-reload")
            self.on(node, "sh", "-euc", f"systemctl reset-failed {unit}; systemctl restart {unit}")

    @contextmanager
    def cut(self, *ends: str) -> Iterator[None]:
        """Nothing passes between any two of these for a while, silently; all else does. Ends: nodes, and CONSOLE."""
        assert len(ends) > 1, "a link has two ends"
        for end in ends:
            self._switch("bridge", "link", "set", "dev", end, "isolated", "on")
        try:
            yield
        finally:
            for end in ends:
                # A machine that boots meanwhile is given a new cable.
                self._switch("bridge", "link", "set", "dev", end, "isolated", "off", check=False)

    @contextmanager
    def unplugged(self, node: str) -> Iterator[None]:
        """The machine's cable is out for a while: it reaches nobody."""
        self._switch("ip", "link", "set", node, "down")
        try:
            yield
        finally:
            self._switch("ip", "link", "set", node, "up", check=False)

    def _switch(self, *words: str, check: bool = True) -> None:
        pid = (self.dir / SWITCH_PID).read_text()
        subprocess.run(["nsenter", "-t", pid, "-n", *words], check=check, capture_output=True, timeout=10)


@contextmanager
def systemd_lab_in(root: Path, *, lease_s: float = 3.0, stock_postgres: bool = False) -> Iterator[SystemdLab]:
    """A systemd lab that is up inside the block, and gone after it."""
    lab = SystemdLab(root)
    outside.up(lab.dir, lease_s=lease_s, lifeline=True, stock_postgres=stock_postgres)
    try:
        yield lab
    finally:
        outside.down(lab.dir)
