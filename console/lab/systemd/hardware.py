"""The machines as data: memory, disks, and what lies on them that no fault may touch."""

from __future__ import annotations

from dataclasses import dataclass

MB = 1024 * 1024


@dataclass(frozen=True)
class Disk:
    """A further disk with an ext4 of its own."""

    name: str
    path: str
    """Where it is mounted."""
    size_mb: int
    filled: bool = False
    """It starts with what the image has there."""


@dataclass(frozen=True)
class Hardware:
    """One machine."""

    memory_mb: int
    disk_mb: int = 2048
    """Of the disk that `/` is on: what may be written to it. The file behind it takes only what is written."""
    disks: tuple[Disk, ...] = ()
    never: tuple[str, ...] = ()
    """As in the inventory; these folders exist."""

    @property
    def mounts(self) -> tuple[str, ...]:
        """Every mount point."""
        return ("/", *(disk.path for disk in self.disks))


HARDWARE = {
    "redfin": Hardware(
        768,
        disks=(Disk("tmp", "/tmp", 256), Disk("ganuda", "/ganuda", 64), Disk("sag_data", "/sag_data", 32)),
        never=("/ganuda", "/sag_data"),
    ),
    "bluefin": Hardware(
        768,
        disks=(
            Disk("pg_data", "/pg_data", 512, filled=True),
            Disk("sigil", "/srv/sigil", 12),
            Disk("lightning", "/srv/lightning", 12),
        ),
        never=("/pg_data",),
    ),
    "greenfin": Hardware(1024),
}
