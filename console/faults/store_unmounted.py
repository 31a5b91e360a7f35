"""Take the file system away under a running store, and see whether it says so or hangs."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from console.faults import shell, store_sh
from console.faults.base import Held, Scripts, Target
from console.faults.memory import MB
from console.faults.store_mounts_sh import CLEAN_MOUNTS, MOUNT_AGAIN, MOUNTS, UNMOUNT, UNMOUNTED, VIEWS
from console.terms import Risk

_PREFLIGHT = "[ $refused = 0 ] || exit 3\nrunning\n"


class StoreUnmounted(Held, frozen=True, tag="store-unmounted"):
    """Take the file system away under a running store, and see whether it says so or hangs."""

    risk_floor: ClassVar[Risk] = Risk.MEDIUM
    needs: ClassVar[tuple[str, ...]] = (
        *store_sh.NEEDS, "ls", "mkdir", "mount", "mv", "nsenter", "rmdir", "tr", "umount",
    )  # fmt: skip
    needs_store: ClassVar[bool] = True
    development_only: ClassVar[bool] = True

    hold_s: Annotated[float, msgspec.Meta(ge=1, le=600)] = 15.0
    """For how long it is away, in seconds."""

    @property
    def revert_limit_s(self) -> float:
        """What was written without the file system is put aside first."""
        return 20.0

    def blast_radius(self, target: Target) -> str:
        """The store's own file system."""
        store = store_sh.store_of(target)
        return (
            f"The file system of {store.path} on {target.node} is gone for {self.hold_s:g} s, and a bare folder is in "
            f"its place: {store.unit} cannot open a file there. It is kept mounted elsewhere; no data is touched."
        )

    def scripts(self, target: Target) -> Scripts:
        """Keep the file system by a second mount, detach the first; mount it again from the second."""
        names = store_sh.names(target)
        rails = f"{store_sh.RAILS}{store_sh.ARRIVES}{MB}{store_sh.guarded(target)}private_view 1\n"
        head = f"{shell.head(target)}{names}"
        after = f"{store_sh.PLACE}{store_sh.ARRIVES}{MOUNTS}"
        return Scripts(
            inject=f"{shell.head(target, mark=self.kind)}{names}{rails}{MOUNTS}{shell.ALIVE}{VIEWS}{UNMOUNT}",
            effect=f"{head}{after}{UNMOUNTED}",
            revert=f"{head}{shell.stop_marked(self.kind)}{after}{shell.ALIVE}{VIEWS}{MOUNT_AGAIN}",
            clean=f"{head}{shell.none_marked(self.kind, target)}{after}{CLEAN_MOUNTS}",
            preflight=f"set -eu\n{names}{rails}{_PREFLIGHT}",
        )
