# The first process of a node that has namespaces of its own: lays out its network, disks and name, starts the node and
# buries the dead. `unshare` calls it with NAME, IPV4, IPV6, HOSTS, STAGE, DISK, DISK_MB, STORES (each folder in it gets a
# disk of its own), STORE_MB and the machine's folders below the node's disks that stay visible, then `--` and the node's
# command. Its own input is the daemon's lifeline.
set -eu
umask 022
name=$1 ipv4=$2 ipv6=$3 hosts=$4 stage=$5 disk=$6 disk_mb=$7 stores=$8 store_mb=$9
shift 9
keep=''
while [ "$1" != -- ]; do
    keep="$keep$1
"
    shift
done
shift

cover() { # MOUNT_POINT SIZE MODE: an empty disk in memory, with what stays visible below it bound back
    mount -n -t tmpfs -o "size=$2,mode=$3" gameday "$stage"
    mount -n --make-unbindable "$stage" # or the lab's folder would be bound into it together with the stage
    printf %s "$keep" | while IFS= read -r folder; do
        case $folder in "$1"/*)
            mkdir -p "$stage/${folder#"$1"/}"
            mount -n --rbind "$folder" "$stage/${folder#"$1"/}"
            ;;
        esac
    done
    mount -n --make-private "$stage"
    mount -n --move "$stage" "$1"
}

hostname "$name"
echo space # now the daemon plugs in eth0 and says so
read -r plugged
[ "$plugged" = cable ]
ip link set lo up
ip addr add "$ipv4" dev eth0
[ ! -e /proc/sys/net/ipv6/conf/eth0/disable_ipv6 ] || ip addr add "$ipv6" dev eth0 nodad
ip link set eth0 up
mkdir -p "$stage"
mount -n --bind "$hosts" /etc/hosts
cover /run 8m 755
cover "$disk" "${disk_mb}m" 1777
for store in "$stores"/*; do
    [ ! -d "$store" ] || mount -n -t tmpfs -o "size=${store_mb}m,mode=700" gameday "$store"
done

exec 3<&0
"$@" <&3 &
node=$!
exec 3<&-
code=0
wait "$node" || code=$?
exit "$code"
