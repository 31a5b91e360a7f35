"""The POSIX sh of disk-fill. All sizes are in KB; the scripts stand in the folder that is filled."""

from __future__ import annotations

RAILS = r"""other='name a folder on another file system with --set path=…'
rails() { # NEVER...: stand in the folder; every reason against filling it
  refused=0 at=''
  cd -P "$path" 2>/dev/null && at=$(pwd -P) || { no "$path is no folder here" "$other"; return; }
  here=$(device_of .)
  set -f
  ours=$(room_of "$at")
  mounted=$(mount_of "$at")
  set +f
  ! whose "$ours" || no "$path cannot be filled safely: $why" "$other"
  apart "$other" "$@"
  apart_from_guard "$other" "$run_dir"
  case $mounted in *' '*' ro,'* | *' '*,ro,* | *' '*,ro' '*) no "$path is mounted read-only" "$other" ;; esac
  if [ -O . ]; then case $(stat -c %A .) in d????-??-? | *[tT]) ;; *) false ;; esac; else false; fi ||
    no "$path may be changed by others than root, who could move the files away" "$other"
  case $mounted in "$here tmpfs "*) may_take_memory || no "$path is in memory, not on a disk" \
    'name a disk, or allow it: --set memory=true, or memory_disks in the inventory' ;; esac
}
may_take_memory() {
  in_memory=1
  [ "$memory_ok" = 0 ] || return 0
  echo "$memory_disks" | while read -r disk; do
    [ -z "$disk" ] || [ "$(device_of "$disk" 2>/dev/null)" != "$here" ] || echo yes
  done | grep -q yes
}
"""

LEVEL = r"""in_memory=${in_memory:-0}
room() { # sets all, used and free as df counts them: what only root may take is no room
  set -- $(stat -f -c '%S %b %f %a' .)
  free=$(($4 * $1 / 1024)) used=$((($2 - $3) * $1 / 1024))
  all=$((free + used))
  [ "$all" -gt 0 ] || all=1
}
level() { echo "$(((used * 200 / all + 1) / 2)) % used, $(mb $free) free"; }
goal() { # sets goal, what is to be written now, and says what stands against that; false if nothing can be
  room
  keep=$((all * share / 100))
  [ $keep -ge "$least" ] || keep=$least
  goal=$size
  [ "$percent" = 0 ] || goal=$((all * percent / 100 - used))
  fits=$((free - keep))
  [ $fits -gt 0 ] || fits=0
  if [ $goal -gt $fits ]; then
    echo "warning: of $(mb $goal) only $(mb $fits) fit on $path: $(level), $(mb $keep) stay free"
    goal=$fits
  fi
  goal=$((goal / 1024 * 1024))
  [ $goal -gt 0 ] || { echo "nothing is to be filled on $path: $(level)"; return 1; }
  [ $in_memory = 0 ] || {
    memory
    [ $((goal + all_kb / 20)) -le $free_kb ] ||
      { echo "$path is in memory: $(mb $goal) are too much where $(mb $free_kb) are to be had"; return 1; }
  }
}
"""

PREFLIGHT = r"""[ $refused = 0 ] || exit 3
goal
"""

INJECT = r"""[ $refused = 0 ] || exit 1
goal
set -f
set -- $mounted
set +f
printf '%s\n' "$at" "$4" "$(cat /proc/sys/kernel/random/boot_id) $here" >"$GAMEDAY_DIR/place"
(cd "$GAMEDAY_DIR" && keep place)
level >"$GAMEDAY_DIR/before"
umask 077
folder=$(mktemp -d "./.gameday-fill.$run.XXXXXX")
echo "${folder#./}" >"$GAMEDAY_DIR/folder"
echo "$goal" >"$GAMEDAY_DIR/goal"
cd -P "$folder"
[ "$(pwd -P)" = "${at%/}/${folder#./}" ] && [ -O . ] && [ "$(device_of .)" = "$here" ] ||
  { echo "$folder is not where it was made"; exit 1; }
n=0 done=0
while [ $done -lt $goal ]; do
  room
  part=$step
  [ $part -le $((goal - done)) ] || part=$((goal - done))
  [ $part -le $((free - keep)) ] || part=$(((free - keep) / 1024 * 1024)) # others write as well
  [ $part -gt 0 ] || break
  n=$((n + 1))
  fallocate -l $((part * 1024)) "fill.$n" 2>/dev/null ||
    dd if=/dev/zero of="fill.$n" bs=1048576 count=$((part / 1024)) 2>/dev/null ||
    { echo "writing failed: $(level)"; exit 1; }
  done=$((done + part))
done
room
echo "$done $used" >"$GAMEDAY_DIR/finished"
"""

EFFECT = r"""[ -s goal ] || { echo 'nothing was written'; exit 1; }
IFS= read -r at <place
read -r folder <folder
read -r goal <goal
before=$(cat before)
done='' reached=''
[ ! -s finished ] || read -r done reached <finished
cd -P "$at/$folder" 2>/dev/null || { echo "$at/$folder is gone"; exit 1; }
ours=$(du -sk . | cut -f1)
room
[ -n "$done" ] || { echo "in progress: $(mb "$ours") of $(mb "$goal"), $(level)"; exit 3; }
[ "$ours" -ge "$done" ] || { echo "of $(mb "$done") only $(mb "$ours") are left in $at/$folder: $(level)"; exit 1; }
[ $used -ge $((reached - all / 50 - 1024)) ] ||
  { echo "the level has fallen from $(mb "$reached") used to $(mb $used): something else gave space free"; exit 1; }
echo "$at: $(level), with $(mb "$ours") of ours; before: $before"
"""

PLACE = r"""noted=''
[ ! -s place ] || { IFS= read -r noted; read -r mount; read -r boot device; } <place
enter() { # stand in the noted folder; false if what is there now cannot hold what was written
  cd -P "$noted" 2>/dev/null || return
  set -f
  set -- $(mount_of "$noted")
  set +f
  [ "${4:-}" = "$mount" ] || return
  [ "$boot" != "$(cat /proc/sys/kernel/random/boot_id)" ] || [ "$(device_of .)" = "$device" ]
}
"""
"""Where inject wrote: the folder, its mount point, and within the same boot the device."""

REVERT = r"""bad=0
wipe() { # remove the run's folders from the one that we stand in; nothing in it is followed or descended into
  here=$(device_of .) at=$(pwd -P)
  for folder in ".gameday-fill.$run."*; do
    [ -d "$folder" ] && [ ! -L "$folder" ] && [ -O "$folder" ] || continue
    (
      cd -P "./$folder" && [ "$(pwd -P)" = "${at%/}/$folder" ] && [ "$(device_of .)" = "$here" ] || exit 1
      rm -f ./fill.*
    ) && rmdir "./$folder" || { echo "$at/$folder holds what is not ours"; bad=1; }
  done
}
if [ -z "$noted" ]; then :; elif enter; then wipe; else
  echo "$noted is not as it was when it was filled: mount it again, then sweep"
  bad=1
fi
if cd -P "$path" 2>/dev/null; then wipe; fi
exit $bad
"""

CLEAN = r"""bad=0
left() { # the folders of any run in the one that we stand in
  for folder in .gameday-fill.*; do
    [ -d "$folder" ] && [ ! -L "$folder" ] && [ -O "$folder" ] || continue
    echo "$(pwd -P)/$folder is left"
    bad=1
  done
}
if [ -n "$noted" ]; then
  enter || { echo "$noted is not as it was when it was filled: what is left there cannot be told"; exit 2; }
  left
fi
if cd -P "$path" 2>/dev/null && [ "$(pwd -P)" != "$noted" ]; then left; fi
exit $bad
"""
