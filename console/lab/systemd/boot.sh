# Boots one machine once, in a fresh network namespace: what it had in its firewall is gone, as after a real boot.
# NAME, ADDRESS, ADDRESS6; SWITCH: the switch's network namespace; MEMINFO: where the machine finds what it has of memory;
# the arguments are more for systemd-nspawn.
set -eu
ip link set lo up
# The cable of the boot before may still be there: the kernel drops it when it gets round to it.
nsenter --net="$SWITCH" ip link del "$NAME" 2>/dev/null || true
ip link add host0 type veth peer name "$NAME" netns "$SWITCH"
ip addr add "$ADDRESS" dev host0
ip addr add "$ADDRESS6" dev host0 nodad
ip link set host0 up
nsenter --net="$SWITCH" ip link set "$NAME" master switch up
# /tmp is a folder of its disk, or a disk: not memory.
export SYSTEMD_NSPAWN_TMPFS_TMP=0
exec systemd-nspawn -q -b -D root --machine="$NAME" --register=no --keep-unit --network-namespace-path=/proc/self/ns/net \
    --capability=CAP_NET_ADMIN --bind-ro="$PWD/meminfo:$MEMINFO" "$@"
