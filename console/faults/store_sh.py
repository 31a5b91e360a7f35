"""Pieces of POSIX sh that the faults on a store's files share: where it lies, what forbids touching it, who sees it."""

from __future__ import annotations

import shlex

from console.errors import Refused
from console.faults import shell
from console.faults.base import StoreTarget, Target
from console.faults.file_system import APART, STACK

MOST_MB = 1024
"""A file system above this is no small one that was made for a store alone."""

_PLACE = r"""own='give the store a small file system of its own, and name a folder on it as its path in the inventory'
find_store() { # sets at, here, kind, options and mount: where the store lies now; false if there is no such folder
  at=$(cd -P "$path" 2>/dev/null && pwd -P) && here=$(device_of "$at") || return
  set -f
  set -- $(mount_of "$at")
  set +f
  kind=${2:-} options=${3:-} mount=${4:-} device=${1:-}
}
main_of() { # sets main: the service's main process; 0: none
  main=$(systemctl show -p MainPID --value "$unit") || main=0
  main=${main:-0}
}
running() { [ "$main" -gt 1 ] || { echo "$unit has no main process: is the service up?"; return 1; }; }
same_folder() { [ "$(stat -L -c %d:%i "$at")" = "$(stat -L -c %d:%i "/proc/$main/root$at" 2>/dev/null)" ]; }
room() { # sets block, all and free of the store's file system, as an ordinary user has it: a block in bytes, else KB
  set -- $(stat -f -c '%S %b %a' "${1:-$at}")
  block=$1 all=$(($2 * $1 / 1024)) free=$(($3 * $1 / 1024))
}
"""

_RAILS = r"""others() { # who has files of the mount in use that is not of the service, each as PID (NAME)
  odd=$(printf '%s' "$mount" | sed 's/[][*?]/\\&/g')
  users=$(cd / && find /proc/[0-9]*/fd /proc/[0-9]*/cwd \( -lname "$odd" -o -lname "$odd/*" \) 2>/dev/null |
    cut -d/ -f3 | sort -un)
  mine=$(members_of "$main")
  for pid in $users; do
    echo "$mine" | grep -qx "$pid" || echo "$pid ($(cat "/proc/$pid/comm" 2>/dev/null))"
  done
}
rails() { # NEVER...: every reason against touching the store's file system
  refused=0 main=0
  find_store || { no "$path is no folder here" "mount it, or mend the store's path in the inventory"; return; }
  case $mount in
  / | '') no "$path lies on the node's root file system" "$own"; return ;;
  *\\*) no "$mount has a blank or a backslash in its name" "$own"; return ;;
  esac
  ours=$(room_of "$at")
  ! whose "$ours" || no "$path cannot be touched safely: $why" "$own"
  apart "$own" "$@"
  apart_from_guard "$own" "$run_dir" "$undo_dir"
  for never do case $never/ in "$mount"/*) no "$never, which is never touched, is in $mount" "$own" ;; esac; done
  room
  [ $all -gt 0 ] || no "$mount has no size of its own" "$own"
  [ $all -le $most ] || no "$mount has $(mb $all), more than the $(mb $most) of a store's own small one" "$own"
  [ "$(mounts_in "$mount" | wc -l)" = 1 ] || no "something else is mounted in or over $mount" "$own"
  also=$(D=$here mounts '$3 == ENVIRON["D"]' | sed 's/.* //' | grep -vxF "$mount" | head -n 1) || also=''
  [ -z "$also" ] || no "the file system of $mount is mounted at $also too" "$own"
  case ,$options, in *,ro,*) no "$mount is mounted read-only" 'mount it for writing first' ;; esac
  main_of
  [ "$main" -gt 1 ] || return 0
  same_folder || no "$unit sees another folder at $path than the node does" \
    "name the store's path as its service sees it, or take its private view of it (BindPaths=, RootDirectory=) away"
  used=$(others | paste -sd ' ' -)
  [ -z "$used" ] || no "others than $unit use $mount too: $used" "$own, or stop them"
}
"""

ARRIVES = r"""words_of() { # PID UP: how the mount at $mount, or with UP=1 the one that it stands on, propagates there
  awk -v at="$mount" -v up="$2" '{ parent[$1] = $2; words[$1] = ""
      for (i = 7; $i != "-"; i++) words[$1] = words[$1] " " $i }
    $5 == at { id = $1 }
    END { print words[up ? parent[id] : id] }' "/proc/$1/mountinfo"
}
arrives() { # UP: whether a change of mounts that is made here is seen by the service as well
  [ "$(readlink "/proc/$main/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ] || return 0
  group=$(words_of self "$1" | sed -n 's/.*shared:\([0-9]*\).*/\1/p')
  [ -n "$group" ] || return
  case " $(words_of "$main" "$1") " in *" shared:$group "* | *" master:$group "*) ;; *) false ;; esac
}
private_view() { # UP
  [ "$main" -le 1 ] || arrives "$1" ||
    no "$unit has its own view of $mount, in which this fault would not be seen" \
      'take ProtectSystem=, ReadWritePaths= and the like out of its unit for this test, or PrivateMounts=yes'
}
"""
"""A service with mounts of its own (PrivateTmp=, ProtectSystem=) follows the node's only where they are its slaves."""

RAILS = f"{STACK}{APART}{_PLACE}{shell.MEMBERS_OF}{_RAILS}"
PLACE = f"{STACK}{_PLACE}"
NEEDS = ("awk", "cut", "find", "grep", "paste", "ps", "readlink", "sed", "sort", "stat", "systemctl", "wc")


def store_of(target: Target) -> StoreTarget:
    """The store of a target that has one.

    Raises:
        Refused: it has none, or its unit is never a target.
    """
    shell.refuse_untouchable(target)
    if target.store is None:
        raise Refused("this fault acts on a store, and none is named")
    return target.store


def names(target: Target) -> str:
    """The assignments that the pieces here expect."""
    store = store_of(target)
    texts = {
        "path": store.path,
        "unit": store.unit,
        "run": target.run,
        "run_dir": target.run_dir,
        "undo_dir": target.undo_dir,
    }
    words = [f"{name}={shlex.quote(value)}" for name, value in texts.items()]
    return f"{' '.join(words)} most={MOST_MB * 1024} # KB\n"


def guarded(target: Target) -> str:
    """The call of the rails, which sets `refused`."""
    return f"rails {shlex.join(target.never)}".rstrip() + "\n"
