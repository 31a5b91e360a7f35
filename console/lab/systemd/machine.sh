# Runs one machine, boot after boot: pid 1 of a process namespace, in a mount namespace of its own, so that all goes with it.
# FOLDER: its files; IMAGE: the disk below its own; CGROUPS: control groups; DISKS: name:path, its further disks; POWER: a
# file in FOLDER that switches it on again, when somebody makes it, after it was powered off.
set -eu
for group in $CGROUPS; do echo 0 >"$group/cgroup.procs"; done
# Where systemd-nspawn keeps notes by name: machines of two labs have the same ones.
mkdir -p /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn
cd "$FOLDER"
mkdir -p disk root
mount -o loop,noatime disk.img disk
mkdir -p disk/upper disk/work
mount -t overlay -o "lowerdir=$IMAGE,upperdir=$FOLDER/disk/upper,workdir=$FOLDER/disk/work" overlay root
cp -a files/. root/
set --
for disk in $DISKS; do
    name=${disk%%:*}
    mkdir -p "mount-$name"
    mount -o loop,noatime "$name.img" "mount-$name"
    chmod --reference="root${disk#*:}" "mount-$name"
    chown --reference="root${disk#*:}" "mount-$name"
    set -- "$@" "--bind=$FOLDER/mount-$name:${disk#*:}"
done
while :; do
    rm -f "$POWER"
    code=0
    unshare -n sh "$BOOT" "$@" || code=$?
    case $code in
    0) # it was powered off; the switch also counts when it was pressed on the way down, which takes 15 s at most
        [ "$(find "$POWER" -newermt '20 seconds ago' 2>/dev/null)" ] || rm -f "$POWER"
        until [ -e "$POWER" ]; do sleep 0.5; done
        ;;
    133) sleep 1 ;; # it asked for a reboot, as a machine does
    *) exit "$code" ;;
    esac
done
