# Make a run's folder on a node. R, RUN, NEEDED_KB, UNDO_DIR and UNDO (empty: none is wanted) are set before, the files
# follow after; see scripts.py.
set -eu
umask 077
refuse() { echo "$*"; exit 1; }
own_folder() {
    mkdir -p "$1" 2>/dev/null || refuse "$1 cannot be made"
    [ ! -h "$1" ] && [ -d "$1" ] && [ -O "$1" ] || refuse "$1 is not a folder of $(id -un)'s own"
    chmod 700 "$1" 2>/dev/null || refuse "$1 cannot be written"
}
# Called last, for a fault that outlives a reboot: the run's folder once more, where a reboot leaves it alone.
keep_undo() {
    own_folder "$UNDO_DIR"
    case $(stat -f -c %T "$UNDO_DIR" 2>/dev/null) in
    tmpfs | ramfs) refuse "$UNDO_DIR lies in memory, and this fault outlives a reboot: name an undo_dir on a disk" ;;
    esac
    mkdir "$UNDO" 2>/dev/null || refuse "$UNDO cannot be made, and this fault outlives a reboot"
    trap 'rm -rf "$R/$RUN" "$UNDO"' EXIT
    { cp -R guard [0-9]* "$UNDO/" && echo "$boot" >"$UNDO/boot" && cp settings "$UNDO/" &&
        sync "$UNDO"/* "$UNDO"/*/* "$UNDO" "$UNDO_DIR"; } 2>/dev/null ||
        refuse "$UNDO cannot be written, and this fault outlives a reboot: is that disk full?"
}
boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null || :)
for copy in "$UNDO_DIR"/*/boot; do
    [ ! -e "$copy" ] || [ "$(cat "$copy")" = "$boot" ] || {
        copy=${copy%/boot}
        refuse "run ${copy##*/} was here before the last reboot, which its fault outlives: run \`gameday sweep --revert\`"
    }
done
own_folder "$R"
free_kb=$(df -kP "$R" | { read -r _; read -r _ _ _ free_kb _; echo "$free_kb"; })
[ "$free_kb" -ge "$NEEDED_KB" ] || refuse "only $free_kb KB are free in $R, $NEEDED_KB KB are needed: make room there"
for ended in "$R"/*.ended; do
    if grep -q '^clean 0$' "$ended" 2>/dev/null; then rm -f "$ended"; fi
done
mkdir "$R/$RUN" 2>/dev/null || refuse "$R/$RUN is there already"
trap 'rm -rf "$R/$RUN"' EXIT
cd "$R/$RUN"
dd if=/dev/zero of=ballast bs=1024 count=64 2>/dev/null
