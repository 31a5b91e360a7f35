"""Take the right to write from a running store's files, and see whether it goes on reading."""

from __future__ import annotations

import shlex
from typing import Annotated, ClassVar, Literal

import msgspec

from console.faults import shell, store_modes_sh, store_mounts_sh, store_sh
from console.faults.base import Held, Scripts, Target
from console.faults.memory import MB
from console.faults.store_mounts_sh import MOUNTS
from console.terms import Risk

_PREFLIGHT = "[ $refused = 0 ] || exit 3\nrunning\n"


class StoreReadOnly(Held, frozen=True, tag="store-read-only"):
    """Take the right to write from a running store's files, and see whether it goes on reading."""

    risk_floor: ClassVar[Risk] = Risk.MEDIUM
    survives_reboot: ClassVar[bool] = True  # permissions do; mounts do not
    needs: ClassVar[tuple[str, ...]] = (
        *store_sh.NEEDS, "chmod", "head", "ls", "mkdir", "mount", "mv", "rm", "rmdir", "sync", "tr", "umount",
    )  # fmt: skip
    needs_store: ClassVar[bool] = True
    development_only: ClassVar[bool] = True

    how: Literal["mount", "permissions"] = "mount"
    """`mount`: its file system is read-only. `permissions`: nobody has the right to write to its files; one that
    has root's rights is not bound by that, and sees it only if it looks."""
    hold_s: Annotated[float, msgspec.Meta(ge=1, le=600)] = 15.0
    """For how long, in seconds."""

    @property
    def summary(self) -> str:
        """Like `store-read-only by mount, held for 15 s`."""
        return f"{self.kind} by {self.how}, held for {self.hold_s:g} s"

    @property
    def revert_limit_s(self) -> float:
        """Each file's permissions are given back by themselves: some milliseconds for each of up to 2000."""
        return 10.0 if self.how == "mount" else 60.0

    def inject_limit_s(self, target: Target) -> float:
        """As for the revert."""
        return 10.0 if self.how == "mount" else 60.0

    def blast_radius(self, target: Target) -> str:
        """The store's own files."""
        store = store_sh.store_of(target)
        what = "The file system of" if self.how == "mount" else "Every file and folder in"
        return f"{what} {store.path} on {target.node} is read-only for {self.hold_s:g} s: {store.unit} cannot write."

    def scripts(self, target: Target) -> Scripts:
        """A read-only mount of the same files, or modes without the right to write that are given back one by one."""
        return self._by_mount(target) if self.how == "mount" else self._by_permissions(target)

    def _by_mount(self, target: Target) -> Scripts:
        names = store_sh.names(target)
        rails = f"{store_sh.RAILS}{store_sh.ARRIVES}{MB}{store_sh.guarded(target)}private_view 0\n"
        head = f"{shell.head(target)}{names}"
        after = f"{store_sh.PLACE}{store_sh.ARRIVES}{MOUNTS}"
        return Scripts(
            inject=f"{shell.head(target, mark=self.kind)}{names}{rails}{MOUNTS}{store_mounts_sh.MAKE_READ_ONLY}",
            effect=f"{head}{after}{store_mounts_sh.IS_READ_ONLY}",
            revert=f"{head}{shell.stop_marked(self.kind)}{after}{store_mounts_sh.MAKE_WRITABLE}",
            clean=f"{head}{shell.none_marked(self.kind, target)}{after}{store_mounts_sh.CLEAN_MOUNTS}",
            preflight=f"set -eu\n{names}{rails}{_PREFLIGHT}",
        )

    def _by_permissions(self, target: Target) -> Scripts:
        sh = store_modes_sh
        names = store_sh.names(target)
        rails = f"{store_sh.RAILS}{sh.MODES}{sh.RAILS}mode_rails {shlex.join(target.never)}".rstrip() + "\n"
        head = f"{shell.head(target)}{names}"
        after = f"{store_sh.PLACE}{sh.MODES}"
        return Scripts(
            inject=f"{shell.head(target, mark=self.kind)}{names}{shell.KEEP}{rails}{sh.TAKE}",
            effect=f"{head}{after}{store_mounts_sh.OPEN_FILES}{sh.TAKEN}",
            revert=f"{head}{shell.stop_marked(self.kind)}{after}{sh.NOTED}{sh.GIVE_BACK}",
            clean=f"{head}{shell.none_marked(self.kind, target)}{after}{sh.NOTED}{sh.GIVEN_BACK}",
            preflight=f"set -eu\n{names}{rails}{_PREFLIGHT}",
        )
