"""The POSIX sh that takes the right to write from a store's files, and gives back exactly what each had."""

from __future__ import annotations

MODES = r"""most_files=2000
list() { find "$at" -xdev \( -type f -o -type d \) "$@"; }
bound() { # whether permissions bind the service: root's processes may write in spite of them
  held=$(sed -n 's/^CapEff:[^0-9a-f]*//p' "/proc/$main/status")
  [ -n "$held" ] && [ $((0x$held & 2)) = 0 ]
}
set_mode() { # MODE INODE FILE: of that very file, whatever stands at its name meanwhile
  [ -f "$3" ] || [ -d "$3" ] || return
  { [ "$(stat -L -c '%d %i' /proc/self/fd/4)" = "$number $2" ] && chmod "$1" /proc/self/fd/4; } 4<"$3"
}
each() { # COMMAND: called with mode, inode and name of each noted file
  while IFS= read -r entry; do
    rest=${entry#* }
    "$1" "${entry%% *}" "${rest%% *}" "${rest#* }" || return
  done <modes
}
"""

RAILS = r"""mode_rails() { # NEVER...: every reason against taking the right to write
  refused=0 main=0
  find_store || { no "$path is no folder here" "mount it, or mend the store's path in the inventory"; return; }
  for never do
    real=$(readlink -f "$never" || echo "$never")
    case $at/ in "${real%/}"/*) no "$path is in $never, which is never touched" "$elsewhere" ;; esac
    case $real/ in "$at"/*) no "$never, which is never touched, is in $path" "$elsewhere" ;; esac
  done
  case $at in / | /bin | /boot | /dev | /etc | /home | /lib* | /opt | /proc | /root | /run | /sbin | /srv | /sys | \
    /tmp | /usr | /var) no "$path is no folder of a store's own" "$elsewhere" ;; esac
  case ,$options, in *,ro,*) no "$mount is mounted read-only" 'mount it for writing first' ;; esac
  [ "$(list | head -n $((most_files + 1)) | wc -l)" -le $most_files ] ||
    no "$path holds more than $most_files files, too many to note each one's mode" "$by_mount"
  [ -z "$(list -name '*
*' | head -n 1)" ] || no "$path holds a file whose name has two lines" "$by_mount"
  main_of
  [ "$main" -gt 1 ] || return 0
  same_folder || no "$unit sees another folder at $path than the node does" "$by_mount"
  bound || echo "warning: $unit has root's rights, which no permission binds: only if it looks at them it sees this"
}
elsewhere="mend the store's path in the inventory" by_mount='take the mount instead: --set how=mount'
"""

TAKE = r"""[ $refused = 0 ] || exit 1
running
list -perm /222 -exec stat -c '%a %i %n' {} + >new
mv new modes
printf '%s\n' "$at" "$kind" "$here" "$(cat /proc/sys/kernel/random/boot_id)" >new
mv new place
keep modes
keep place
number=$(stat -L -c %d "$at")
take() { set_mode a-w "$2" "$3" || { echo "$3 is another one by now"; return 1; }; }
each take
echo "$(wc -l <modes)" >taken
"""

TAKEN = r"""[ -s place ] || { echo 'no right was taken'; exit 1; }
[ -s taken ] || { echo 'in progress'; exit 3; }
IFS= read -r at <place
[ -d "$at" ] || { echo "$at is gone"; exit 1; }
writable=$(list -perm /222 | head -n 1)
[ -z "$writable" ] || { echo "$writable may be written again"; exit 1; }
main_of
echo "nobody has the right to write to any of $(cat taken) files and folders in $at"
[ "$main" -gt 1 ] || { echo "finding: $unit has no process now"; exit 0; }
bound || echo "finding: $unit has root's rights, which no permission binds"
open=$(open_files "$(stat -L -c %d "$at")" 12567)
[ "$open" = 0 ] || echo "finding: $unit holds $open files open for writing, and can go on writing to these"
"""

NOTED = r"""noted_modes() { # stand by what was noted; false: there is nothing to do
  [ -s place ] && [ -s modes ] || return
  { IFS= read -r at; read -r was; read -r device; read -r boot; } <place
  [ "$boot" = "$(cat /proc/sys/kernel/random/boot_id)" ] || [ "$was" != tmpfs ] || return # a reboot has emptied it
  now=$(cd -P "$at" 2>/dev/null && device_of .) || now=''
  # After a reboot a disk may have another number, and its type is what is known of it.
  [ "$now" = "$device" ] || { [ -n "$now" ] && [ "$boot" != "$(cat /proc/sys/kernel/random/boot_id)" ] &&
    [ "$(mount_of "$at" | cut -d' ' -f2)" = "$was" ]; } || {
    echo "$at is not as it was when its permissions were noted: mount it again, then sweep"
    exit $1
  }
  number=$(stat -L -c %d "$at")
}
"""

GIVE_BACK = r"""noted_modes 1 || { echo 'no right was taken, none is given back'; exit 0; }
give() {
  set_mode "$@" || if [ -e "$3" ]; then
    echo "$3 was not given back $1, and has $(stat -c %a "$3"): it is not the file that it was"
  else echo "$3 is gone"; fi
}
each give
"""

GIVEN_BACK = r"""noted_modes 2 || exit 0
bad=0
same() {
  case $(stat -c '%a %i' "$3" 2>/dev/null || :) in "$1 $2") ;; *" $2")
    [ -n "$(find "$3" -prune -perm /222)" ] || { echo "$3 has not its right to write, $1"; bad=1; } ;; esac
}
each same
exit $bad
"""
