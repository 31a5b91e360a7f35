# Make a run's folder on a node. R, RUN and NEEDED_KB are set before, the files follow after; see scripts.py.
set -eu
umask 077
refuse() { echo "$*"; exit 1; }
mkdir -p "$R" 2>/dev/null || refuse "$R cannot be made"
[ ! -h "$R" ] && [ -d "$R" ] && [ -O "$R" ] || refuse "$R is not a folder of $(id -un)'s own"
chmod 700 "$R"
free_kb=$(df -kP "$R" | { read -r _; read -r _ _ _ free_kb _; echo "$free_kb"; })
[ "$free_kb" -ge "$NEEDED_KB" ] || refuse "only $free_kb KB are free in $R, $NEEDED_KB KB are needed"
for ended in "$R"/*.ended; do
    if grep -q '^clean 0$' "$ended" 2>/dev/null; then rm -f "$ended"; fi
done
mkdir "$R/$RUN" 2>/dev/null || refuse "$R/$RUN is there already"
trap 'rm -rf "$R/$RUN"' EXIT
cd "$R/$RUN"
dd if=/dev/zero of=ballast bs=1024 count=64 2>/dev/null
