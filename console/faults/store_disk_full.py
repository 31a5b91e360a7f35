"""Fill the small file system of a store to its last block, and see what the store makes of it."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from console.faults import shell, store_sh
from console.faults.base import Held, Scripts, Target
from console.faults.memory import MB, memory
from console.terms import Risk

OVERTIME_S = 120.0
"""For how long above `hold_s` the space is held that nobody gives back: proofs take time."""

_CAN = r"""can() { # whether the rest may be taken
  room
  [ $free -gt 0 ] || { echo "$mount has no free block already: $(mb $all)"; return 1; }
  [ "$kind" != tmpfs ] || {
    memory
    [ $((free + all_kb / 20)) -le $free_kb ] ||
      { echo "$mount is in memory: $(mb $free) are too much where $(mb $free_kb) are to be had"; return 1; }
  }
}
"""

_PREFLIGHT = """[ $refused = 0 ] || exit 3
running
can
"""

_INJECT = r"""[ $refused = 0 ] || exit 1
can
room
echo "$free $all" >before
name=$mount/.gameday-full.$run
echo "$name" >name
umask 077
set -C
exec 3>"$name"
set +C
rm "$name" # what has no name is given back with the process that holds it, however that ends
take() { # all that is free: most of it at once, then block by block
  fallocate -o "$(stat -L -c %s /proc/self/fd/3)" -l $((free * 1024)) /proc/self/fd/3 2>/dev/null || :
  dd if=/dev/zero bs=65536 >>/proc/self/fd/3 2>/dev/null || :
  dd if=/dev/zero bs="$block" >>/proc/self/fd/3 2>/dev/null || :
}
keep_full() { # what the service frees is taken as well
  take
  echo full >"$GAMEDAY_DIR/full"
  turns=$limit
  while [ $turns -gt 0 ] && sleep 0.2; do
    turns=$((turns - 1))
    room
    [ $free = 0 ] || take
  done
}
keep_full </dev/null >/dev/null 2>&1 &
echo "$! $(alive $!)" >keeper.new
mv keeper.new keeper
"""

_EFFECT = r"""[ -s keeper ] || { echo 'nothing was filled'; exit 1; }
read -r pid born <keeper
[ -n "$born" ] && [ "$(alive "$pid")" = "$born" ] || { echo 'what held the space is gone'; exit 1; }
read -r before all <before
find_store || { echo "$path is gone"; exit 1; }
room
ours=$(stat -L -c '%b %B' "/proc/$pid/fd/3" | awk '{ printf "%d", $1 * $2 / 1024 }')
[ -s full ] || { echo "in progress: $(mb "$ours") of $(mb "$before") are taken"; exit 3; }
refused() { # sets said: a byte more of ours finds no room
  said=$(LC_ALL=C dd if=/dev/zero bs=1 count=1 2>&1 >>"/proc/$pid/fd/3") && return 1
  case $said in *'No space left'*) ;; *) false ;; esac
}
tries=10
until refused; do # what was freed just now is taken soon
  tries=$((tries - 1))
  room
  [ $tries -gt 0 ] || { echo "$mount takes another byte, $free KB are free:" $said; exit 1; }
  sleep 0.2
done
room
echo "$mount is full: a byte more is refused (No space left on device), $free KB are free of $(mb "$all");" \
  "$(mb "$ours") of it are ours; before: $before KB free"
"""

_REVERT = r"""[ ! -s keeper ] || { # the space is back when the process is, not when it is told to end
  read -r pid born <keeper
  tries=50
  while [ -n "$born" ] && [ "$(alive "$pid")" = "$born" ]; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || { echo "process $pid, which holds the space, does not end"; exit 1; }
    sleep 0.1
  done
}
[ ! -s name ] || { IFS= read -r name <name; rm -f "$name"; }
"""

_CLEAN = r"""bad=0
left() { # FOLDER
  for file in "$1"/.gameday-full.*; do
    [ ! -e "$file" ] || { echo "$file is left"; bad=1; }
  done
}
[ ! -s name ] || { IFS= read -r name <name; left "${name%/*}"; }
! find_store || left "${mount%/}"
held=$(find /proc/[0-9]*/fd -lname '*/.gameday-full.*' 2>/dev/null | cut -d/ -f3 | sort -un | paste -sd ' ' -)
[ -z "$held" ] || { echo "space is still held by processes: $held"; bad=1; }
exit $bad
"""


class StoreDiskFull(Held, frozen=True, tag="store-disk-full"):
    """Fill the small file system of a store to its last block, and see what the store makes of it."""

    risk_floor: ClassVar[Risk] = Risk.MEDIUM
    needs: ClassVar[tuple[str, ...]] = (*store_sh.NEEDS, "dd", "fallocate", "rm")
    needs_store: ClassVar[bool] = True
    development_only: ClassVar[bool] = True

    hold_s: Annotated[float, msgspec.Meta(ge=1, le=600)] = 15.0
    """For how long it is kept full, in seconds."""

    def inject_limit_s(self, target: Target) -> float:
        """Most of it runs beside inject; a slow disk may still take its time for what was written before."""
        return 20.0

    def blast_radius(self, target: Target) -> str:
        """The store's own file system."""
        store = store_sh.store_of(target)
        return (
            f"The file system of {store.path} on {target.node} has no free block for {self.hold_s:g} s: whatever "
            f"{store.unit} writes there fails. One that is not small and the store's own is refused."
        )

    def scripts(self, target: Target) -> Scripts:
        """A file without a name, held open by a process of ours: it is gone with that process, and with a reboot."""
        names = store_sh.names(target)
        turns = f"limit={(self.hold_s + OVERTIME_S) * 5:.0f}\n"
        rails = f"{store_sh.RAILS}{memory(target.memory_limit_mb)}{MB}{_CAN}{store_sh.guarded(target)}"
        head = f"{shell.head(target)}{names}"
        return Scripts(
            inject=f"{shell.head(target, mark=self.kind)}{names}{turns}{shell.ALIVE}{rails}{_INJECT}",
            effect=f"{head}{store_sh.PLACE}{MB}{shell.ALIVE}{_EFFECT}",
            revert=f"{head}{shell.stop_marked(self.kind)}{shell.ALIVE}{_REVERT}",
            clean=f"{head}{shell.none_marked(self.kind, target)}{store_sh.PLACE}{_CLEAN}",
            preflight=f"set -eu\n{names}{rails}{_PREFLIGHT}",
        )
