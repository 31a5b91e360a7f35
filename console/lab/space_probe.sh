# Whether this machine gives an ordinary user what a node of its own needs. Called in new namespaces with the lab's
# folder; the last line of its error output says what is denied. Its output: why there is no firewall, if there is none.
set -eu
[ -w "$1" ] || { echo "$1 is not writable from within a user namespace" >&2; exit 1; }
hostname probe
ip link set lo up
ip link add probe0 type bridge
ip link add probe1 type veth peer name probe2
ip link set probe1 master probe0
[ -e /etc/hosts ] || { echo "there is no /etc/hosts" >&2; exit 1; }
mount -n --bind /etc/hosts /etc/hosts
for disk in /run /tmp; do
    mount -n -t tmpfs -o size=1m probe "$disk"
    umount -n "$disk"
done
unshare -U --map-user=1000 --map-group=1000 true
for tool in iptables ip6tables; do
    if ! said=$("$tool" -A INPUT -i probe1 -j DROP 2>&1); then
        echo "$tool: ${said%%
*}"
        exit
    fi
done
