"""Pieces of POSIX sh that tell how much memory a node has, what is still to be had, what was killed for it."""

from __future__ import annotations

_MEMORY = r"""memory() { # sets all_kb and free_kb: what the node has, and what it can still give without killing; in KB
  set -- $(awk '/^MemTotal:/ { all = $2 } /^MemAvailable:/ { free = $2 } END { print all, free }' /proc/meminfo)
  all_kb=$1 free_kb=$2
  # A container's limit is that of its first process, or of a group around that.
  while IFS=: read -r _ kinds group; do
    case ,$kinds, in
    ,,) tree=/sys/fs/cgroup most=memory.max now=memory.current cached='^inactive_file ' ;;
    *,memory,*) tree=/sys/fs/cgroup/memory most=memory.limit_in_bytes now=memory.usage_in_bytes
      cached='^total_inactive_file ' ;;
    *) continue ;;
    esac
    while :; do
      bytes=$(cat "$tree$group/$most" 2>/dev/null) || bytes=max
      case $bytes in max | ???????????????????*) ;; *) # 19 digits are v1's word for no limit
        [ $((bytes / 1024)) -ge "$all_kb" ] || all_kb=$((bytes / 1024))
        bytes=$((bytes - $(cat "$tree$group/$now") + $(sed -n "s/$cached//p" "$tree$group/memory.stat")))
        [ $((bytes / 1024)) -ge "$free_kb" ] || free_kb=$((bytes / 1024)) ;;
      esac
      [ -n "${group%/}" ] || break
      group=${group%/*}
    done
  done </proc/1/cgroup
  if [ "$limit_kb" -gt 0 ] && [ "$limit_kb" -lt "$all_kb" ]; then
    # Nobody counts for this limit, so what the node's processes hold is added up; shared pages are theirs in parts.
    all_kb=$limit_kb
    set -- $(cat /proc/[0-9]*/smaps_rollup 2>/dev/null |
      awk -v all="$all_kb" '/^(Pss|SwapPss):/ { all -= $2 } END { print (all > 0 ? all : 0) }')
    [ "$1" -ge "$free_kb" ] || free_kb=$1
  fi
}
"""


def memory(limit_mb: int | None) -> str:
    """The function `memory`; `limit_mb` is the inventory's `memory_limit_mb` of the node, in MiB."""
    return f"limit_kb={(limit_mb or 0) * 1024}\n{_MEMORY}"


MB = 'mb() { echo "$(($1 / 1024)) MB"; } # KB\n'

KILLED = r"""killed() { # how many processes the kernel has killed for want of memory: here, or on the whole machine
  group=/sys/fs/cgroup/memory$(sed -n 's/^[0-9]*:memory://p' /proc/1/cgroup)
  case $(cat "$group/memory.limit_in_bytes" 2>/dev/null) in
  '' | ???????????????????*) cat /sys/fs/cgroup/memory.events 2>/dev/null || cat /proc/vmstat ;;
  *) find "$group" -name memory.oom_control -exec cat {} + ;; # v1 counts in each group of a container apart
  esac | awk '$1 == "oom_kill" { n += $2 } END { print n + 0 }'
}
"""
"""The kernel's counters: its log is not to be read in every container, nor does it say whose process it was."""
