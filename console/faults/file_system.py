"""Pieces of POSIX sh that tell what else fills up when a file system is filled, or that this cannot be told."""

from __future__ import annotations

STACK = r"""
mounts() { # FIND: device, type, options and mount point of mounts, as they were made; `at` is the mount point
  awk '{ at = $5; gsub(/\\040/, " ", at); gsub(/\\011/, "\t", at); gsub(/\\134/, "\\\\", at); sub(/\/*$/, "/", at) }
    '"$1"' { for (i = 7; $i != "-"; ) i++; print $3, $(i + 1), $6 "," $NF, $5 }' /proc/self/mountinfo
}
mount_of() { # RESOLVED PATH: the mount that shows it
  P=$1/ mounts 'index(ENVIRON["P"], at) == 1 && length(at) >= best && best = length(at)' | tail -n 1
}
mounts_in() { P=$1/ mounts 'index(at, ENVIRON["P"]) == 1'; } # FOLDER: the mounts in it, and the one on it
device_of() { # PATH: its device as the kernel knows it, whatever names lead there
  n=$(stat -L -c %d "$1") && echo "$((n >> 8 & 4095 | n >> 32 & ~4095)):$((n & 255 | n >> 12 & 4294967040))"
}
space_of() { # DEVICE TYPE: it and all else that fills with it; or `unknown WHY`
  case $2 in
  tmpfs) echo "$1" ;;
  ext[234] | xfs | f2fs | jfs | vfat | exfat) echo "$1"; under "$1" ;;
  proc | sysfs | cgroup | cgroup2 | devpts | devtmpfs | mqueue | securityfs | debugfs | tracefs | pstore) ;;
  bpf | configfs | fusectl | hugetlbfs | binfmt_misc | efivarfs | nsfs | rpc_pipefs | autofs) ;;
  *) echo "unknown how much room ${2:-this mount} has, and whose, cannot be told" ;;
  esac
}
under() { # DEVICE: the file systems that it takes its room from
  block=/sys/dev/block/$1
  if [ ! -e "$block" ]; then echo "unknown what device $1 lies on is not shown here"
  elif [ -e "$block/partition" ]; then under "$(cat "$block/../dev")"
  elif [ -e "$block/loop/backing_file" ]; then # a file that is not seen here belongs to the machine outside
    file=$(cat "$block/loop/backing_file")
    [ ! -b "$file" ] || echo "unknown $file is mounted by way of a loop"
    [ ! -f "$file" ] || room_of "$file"
  elif [ -e "$block/dm" ]; then
    kind=$(dmsetup table -j "${1%:*}" -m "${1#*:}" 2>/dev/null | awk '{ print $3 }' | sort -u)
    case $kind in
    linear | striped | crypt | mirror | raid) for part in "$block"/slaves/*/dev; do under "$(cat "$part")"; done ;;
    *) echo "unknown device $1 is a mapping of the kind '${kind:-not told}', which may be thin" ;;
    esac
  elif [ -e "$block/md" ]; then for part in "$block"/slaves/*/dev; do under "$(cat "$part")"; done
  fi
}
room_of() { # EXISTING PATH: the space of its file system
  set -- "$(readlink -f "$1")"
  set -- "$(device_of "$1")" $(mount_of "$1")
  if [ "$1" = "${2:-}" ]; then space_of "$1" "$3"; else space_of "$1" "${3:-}?"; fi
}
"""
"""Only file systems that have their space to themselves are known here: btrfs, zfs and overlays share theirs, fuse and
network file systems do not tell. A file system in a file may grow in the one that holds the file, a thin mapping in
its pool."""

APART = r"""
no() { # REASON FIX
  echo "$1"
  echo "fix: $2"
  refused=1
}
whose() { # FOUND: why it cannot be told, if it cannot
  why=$(echo "$1" | sed -n 's/^unknown //p' | head -n 1)
  [ -n "$why" ]
}
apart() { # FIX NEVER...: that the folder `at` of `path`, whose space is `ours`, is in no never path and shares no space
  fix=$1
  shift
  for never do
    real=$(readlink -f "$never" || echo "$never")
    case $at/ in "${real%/}"/*) no "$path is in $never, which is never touched" "$fix"; continue ;; esac
    theirs=$({ [ ! -e "$real" ] || room_of "$real"
      mounts_in "${real%/}" | while read -r device type _; do space_of "$device" "$type"; done; })
    if [ -n "$theirs" ] && echo "$ours" | grep -qxF "$theirs"; then
      no "$path shares its space with $never, which is never touched" "$fix"
    elif whose "$theirs"; then no "whether $path shares its space with $never cannot be told: $why" "$fix"; fi
  done
}
apart_from_guard() { # FIX FOLDER...: that none of the guard's folders is on the device `here`
  fix=$1
  shift
  for folder do
    guard=$folder
    until [ -e "$guard" ]; do guard=${guard%/*}; [ -n "$guard" ] || guard=/; done
    [ "$here" != "$(device_of "$guard")" ] ||
      no "$path is on the file system of $folder, in which the guard works" "$fix"
  done
}
"""
"""Rails against what must not be hit; each reason is one line that a line `fix: …` follows, and sets `refused`."""
