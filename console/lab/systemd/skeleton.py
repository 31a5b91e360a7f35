"""The files that a machine starts with above the image: a tree written here, laid over its disk before the boot."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from console.lab.layout import NodeLayout
from console.lab.units import SERVICES

UNITS = "/etc/systemd/system"
PROGRAMS = "/opt/federation"
"""Where the lab's own programs are on a machine."""


@dataclass(frozen=True)
class Owner:
    """Who owns a file, by number."""

    uid: int = 0
    gid: int = 0
    home: str = "/root"


ROOT = Owner()


class Skeleton:
    """The tree of one machine."""

    def __init__(self, layout: NodeLayout, image: Path) -> None:
        self._root = layout.root / "files"
        self._root.mkdir(mode=0o755, exist_ok=True)
        self._image = image

    def user(self, name: str) -> Owner:
        """A user of the image.

        Raises:
            KeyError: there is none of that name.
        """
        for line in (self._image / "etc/passwd").read_text().splitlines():
            fields = line.split(":")
            if fields[0] == name:
                return Owner(int(fields[2]), int(fields[3]), fields[5])
        raise KeyError(name)

    def folder(self, path: str, mode: int = 0o755, owner: Owner = ROOT) -> Path:
        """A folder; those above it are as in the image, or root's."""
        target = self._root / path.lstrip("/")
        for folder in [*reversed(target.parents), target]:
            if folder.is_relative_to(self._root) and not folder.exists():
                folder.mkdir()
                # What the image has keeps its owner and mode: they are laid over it with the tree.
                same = self._image / folder.relative_to(self._root)
                stat = same.stat() if same.is_dir() else None
                folder.chmod(stat.st_mode & 0o7777 if stat else 0o755)
                os.chown(folder, stat.st_uid if stat else 0, stat.st_gid if stat else 0)
        if not (self._image / path.lstrip("/")).is_dir():
            target.chmod(mode)
            os.chown(target, owner.uid, owner.gid)
        return target

    def file(self, path: str, text: str, mode: int = 0o644, owner: Owner = ROOT) -> None:
        """A file."""
        target = self.folder(str(Path(path).parent), owner=owner) / Path(path).name
        target.touch(mode=0o600)
        target.write_text(text)
        os.chown(target, owner.uid, owner.gid)
        target.chmod(mode)

    def unit(self, name: str, text: str = "") -> None:
        """A unit that starts with the machine: with that unit file, or the image's own."""
        if text:
            self.file(f"{UNITS}/{name}", text)
        place = UNITS if text else "/lib/systemd/system"
        (self.folder(f"{UNITS}/multi-user.target.wants") / name).symlink_to(f"{place}/{name}")

    def programs(self) -> None:
        """The lab's own programs, under PROGRAMS with the names that they have here."""
        packages = self.folder(f"{PROGRAMS}/console/lab")
        for package in (packages.parent, packages):
            (package / "__init__.py").touch()
        shutil.copytree(SERVICES, packages / "services", ignore=shutil.ignore_patterns("__pycache__"))
