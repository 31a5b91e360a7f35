"""The POSIX sh of the faults that change a store's mount.

What is noted and kept lies in the action's folder, in memory: a reboot takes it, and every mount with it.
"""

from __future__ import annotations

OPEN_FILES = r"""open_files() { # DEVICE FLAGS: how many of its files the service has open so: by their flags' end
  n=0
  for fd in $(stat -L -c '%d %n' "/proc/$main/fd"/* 2>/dev/null | sed -n "s/^$1 .*\///p"); do
    ! grep -q "^flags:.*[$2]\$" "/proc/$main/fdinfo/$fd" 2>/dev/null || n=$((n + 1))
  done
  echo $n
}
"""

MOUNTS = (
    OPEN_FILES
    + r"""look() { # the mount at $mount: device, root, point, flags, type, source, options
  awk -v at="$mount" '$5 == at { for (i = 7; $i != "-"; ) i++; print $3, $4, $5, $6, $(i + 1), $(i + 2), $(i + 3) }' \
    /proc/self/mountinfo
}
note_mount() {
  line=$(look)
  printf '%s\n' "$at" "$mount" "$here" "$line" "$(words_of self 0)" "$(cat /proc/sys/kernel/random/boot_id)" >new
  mv new place
}
noted() { # sets what was noted; false if nothing was in this boot
  [ -s place ] || return
  { IFS= read -r at; IFS= read -r mount; read -r device; IFS= read -r line; read -r group; read -r boot; } <place
  [ "$boot" = "$(cat /proc/sys/kernel/random/boot_id)" ]
}
is_back() { [ "$(look)" = "$line" ]; }
layers() { look | wc -l; }
shows() { [ "$(device_of "$mount" 2>/dev/null)" = "$device" ]; }
store_kept() { [ -d kept/fs ] && [ "$(device_of kept/fs)" = "$device" ]; }
remount_kept() { # ro or rw; its other flags stay what they were
  set -- "$1" "$(echo "$line" | cut -d' ' -f4 | tr , '\n' | grep -vxE 'r[ow]' | paste -sd , -)"
  mount -o "remount,bind,$1${2:+,$2}" "$(pwd -P)/kept/fs"
}
keep_mount() { # here only, and read-only, so that nobody who clears this folder can hurt the data
  mkdir kept
  mount --bind kept kept
  mount --make-private kept
  mkdir kept/fs
  mount --bind "$mount" kept/fs
  remount_kept ro
}
let_go() {
  tries=9
  while [ -n "$(mounts_in "$(pwd -P)/kept")" ]; do
    [ $tries -gt 0 ] || { echo "$PWD/kept cannot be unmounted"; return 1; }
    tries=$((tries - 1))
    umount -l "$(pwd -P)/kept" || :
  done
  [ ! -d kept ] || rm -df kept/fs kept
}
"""
)

VIEWS = r"""views() { # PID FLAGS of each process, this one included, that sees a mount at $mount
  grep -sF " $mount " /proc/self/mountinfo /proc/[0-9]*/mountinfo |
    awk -v at="$mount" '$5 == at { split($1, file, "/"); seen[file[3]] = $6 } END { for (p in seen) print p, seen[p] }'
}
note_views() { # services with a view of their own may have it with other flags, as ProtectSystem= makes it read-only
  views >new
  plain=$(sed -n 's/^self //p' new)
  while read -r pid flags; do
    [ "$flags" = "$plain" ] || echo "$pid $(alive "$pid") $flags"
  done <new >odd
  mv odd views
}
views_back() { # a mount that is made anew has the node's flags in every view
  failed=0
  while read -r pid born flags; do
    [ -n "$born" ] && [ "$(alive "$pid")" = "$born" ] || continue
    now=$(views | sed -n "s/^$pid //p")
    [ -n "$now" ] && [ "$now" != "$flags" ] || continue
    nsenter -t "$pid" -m mount -o "remount,bind,$flags" "$mount" </dev/null &&
      [ "$(views | sed -n "s/^$pid //p")" = "$flags" ] ||
      { echo "process $pid ($(cat "/proc/$pid/comm")) sees $mount $now, before: $flags"; failed=1; }
  done <views
  return $failed
}
"""

CLEAN_MOUNTS = r"""bad=0
folder=$(cd -P "${GAMEDAY_DIR%"/$run"*}" && pwd)
left=$(mounts_in "$folder" | sed 's/.* //' | grep '/kept' | paste -sd ' ' -) || left=''
[ -z "$left" ] || { echo "still mounted: $left"; bad=1; }
if noted && ! is_back; then
  echo "$mount is not mounted as it was: $(look | paste -sd ';' -)"
  bad=1
fi
exit $bad
"""

UNMOUNT = r"""[ $refused = 0 ] || exit 1
note_mount
note_views
keep_mount
umount -l "$mount"
ls -A "$mount" >new
mv new beneath
"""

UNMOUNTED = r"""noted || { echo 'nothing was unmounted'; exit 1; }
if shows; then
  [ -e beneath ] || { echo "in progress: $mount is still there"; exit 3; }
  echo "$mount is mounted again"
  exit 1
fi
store_kept || { echo "the file system of $mount is gone, and is not kept"; exit 1; }
main_of
if [ "$main" -gt 1 ] && [ "$(device_of "/proc/$main/root$mount" 2>/dev/null)" = "$device" ]; then
  echo "$unit still sees the file system at $mount"
  exit 1
fi
echo "$mount shows an empty folder of another device, $(device_of "$mount" || echo none) instead of $device"
[ "$main" -gt 1 ] || { echo "finding: $unit has no process now"; exit 0; }
open=$(open_files "$(stat -L -c %d kept/fs)" 0-7)
[ "$open" = 0 ] || echo "finding: $unit holds $open files of it open, and can go on using these"
[ ! -e beneath ] || ! ls -A "$mount" 2>/dev/null | grep -qvxF -f beneath ||
  echo "finding: something was written into the bare folder $mount; it is put aside when the file system is back"
"""

MOUNT_AGAIN = r"""put_aside() { # what was written into the bare folder meanwhile: under the mount nobody would find it
  [ -e beneath ] && ls -A "$mount" | grep -vxF -f beneath >written || return 0
  aside=$mount.gameday-$run
  mkdir -m 700 "$aside" 2>/dev/null || [ -d "$aside" ] || { echo "$aside cannot be made"; return 0; }
  while IFS= read -r name; do mv "$mount/$name" "$aside/" || :; done <written
  echo "kept: what was written to $mount without its file system is in $aside"
}
noted || { echo 'nothing was unmounted, nothing to mount'; exit 0; }
if ! shows; then
  [ "$(layers)" = 0 ] || { echo "another file system is mounted at $mount: unmount it, then sweep"; exit 1; }
  store_kept || { echo "the file system of $mount is neither there nor kept: mount it by hand"; exit 1; }
  [ -d "$mount" ] || mkdir "$mount"
  [ "$(cd -P "$mount" && pwd)" = "$mount" ] || { echo "$mount leads elsewhere by now"; exit 1; }
  put_aside
  remount_kept rw
  mount --bind kept/fs "$mount"
  [ -n "$group" ] || mount --make-private "$mount"
fi
[ ! -s views ] || views_back || exit 1
let_go
is_back || { echo "$mount is mounted, but not as it was: $(look | paste -sd ';' -)"; exit 1; }
"""

MAKE_READ_ONLY = r"""[ $refused = 0 ] || exit 1
note_mount
if mount -o remount,ro "$mount" 2>said; then echo 'the file system is read-only' >how; else
  # Whoever has a file open for writing forbids that: a read-only mount of the same files is laid over it.
  keep_mount
  mount --make-private kept/fs # or what is laid over the one is laid over the other
  mount --bind kept/fs "$mount"
  let_go
  echo 'a read-only mount lies over it' >how
fi
"""

IS_READ_ONLY = r"""refuses() { # FOLDER: a new file there
  if said=$(LC_ALL=C sh -c 'true >"$1"' - "$1/.gameday-probe.$run" 2>&1); then
    rm -f "$1/.gameday-probe.$run"
    said='a file could be made'
    return 1
  fi
  case $said in *'Read-only file system'*) ;; *) false ;; esac
}
noted || { echo 'nothing was made read-only'; exit 1; }
[ -s how ] || { echo "in progress: $mount is still writable"; exit 3; }
refuses "$at" || { echo "$at is not read-only: $said"; exit 1; }
main_of
if [ "$main" -gt 1 ]; then
  refuses "/proc/$main/root$at" || { echo "$unit does not see $at read-only: $said"; exit 1; }
fi
echo "$mount: $(cat how); a new file is refused (Read-only file system)"
[ "$main" -gt 1 ] || { echo "finding: $unit has no process now"; exit 0; }
open=$(open_files "$(stat -L -c %d "$at")" 12567)
[ "$open" = 0 ] || echo "finding: $unit holds $open files open for writing, and can go on writing to these"
"""

MAKE_WRITABLE = r"""noted || { echo 'nothing was made read-only, nothing to take back'; exit 0; }
while [ "$(layers)" -gt 1 ]; do
  shows || { echo "another file system is mounted over $mount: unmount it, then sweep"; exit 1; }
  umount -l "$mount"
done
is_back || mount -o remount,rw "$mount" || :
let_go
is_back || { echo "$mount is not mounted as it was: $(look | paste -sd ';' -)"; exit 1; }
"""
