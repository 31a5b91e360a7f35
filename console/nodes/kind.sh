# Can this node have the guard on systemd? Exit 0, or the reason.
for program in systemd-run systemd-notify systemctl bash; do
    command -v $program >/dev/null || { echo "there is no $program"; exit 1; }
done
[ -d /run/systemd/system ] || { echo "systemd does not run"; exit 1; }
version=$(systemd-run --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
[ "${version:-0}" -ge 244 ] || { echo "systemd ${version:-of unknown age} is too old, 244 is needed"; exit 1; }
[ "$(id -u)" = 0 ] || { echo "the console is not root, neither by login nor by sudo"; exit 1; }
