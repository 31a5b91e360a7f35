"""The machines' disk image: one Debian for all labs and tests, made once and kept (root)."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from console.errors import GamedayError
from console.lab.fleet import SSH_USER

CACHE = Path("/var/cache/gameday")
SUITE = "bookworm"
SERVICE_USER = "federation"
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "bash", "util-linux", "e2fsprogs", "procps"),
    *("iproute2", "iptables", "iputils-ping", "curl", "strace", "stress-ng", "postgresql"),
    # The services' own Python, whatever the console's is: its interpreter may not run on this Debian.
    *("python3-minimal", "python3-uvicorn", "python3-psycopg", "python3-plyvel", "python3-lmdb"),
    # Faults in a service's system calls, for one that was started with its preload.
    *("fiu-utils", "libfiu0"),
    *("prometheus", "prometheus-alertmanager", "prometheus-node-exporter", "prometheus-postgres-exporter"),
)
_LEAN = (
    # Texts for people are half of the files; an image that a crash spoils is made again.
    *("--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*"),
    *("--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=force-unsafe-io"),
)
_SET_UP = f"""
set -eu
# A machine runs what its lab starts, not what Debian starts wherever it is installed.
for unit in postgresql prometheus prometheus-alertmanager prometheus-node-exporter prometheus-postgres-exporter; do
    systemctl --quiet disable $unit.service
done
for unit in apt-daily apt-daily-upgrade dpkg-db-backup e2scrub_all fstrim; do systemctl --quiet mask $unit.timer; done
systemctl --quiet mask e2scrub_reap.service getty.target console-getty.service systemd-resolved.service tmp.mount
# Debian makes it in whatever locale it is installed with.
pg_dropcluster 15 main
mkdir -p /pg_data
chown postgres:postgres /pg_data
pg_createcluster --locale=C.UTF-8 --datadir=/pg_data/main 15 main >/dev/null
useradd -m -s /bin/bash {SSH_USER}
useradd -r -m -d /var/lib/{SERVICE_USER} -s /usr/sbin/nologin {SERVICE_USER}
# Each machine gets its own.
rm -f /etc/ssh/ssh_host_*
: >/etc/machine-id
printf 'UseDNS no\\nPasswordAuthentication no\\nMaxStartups 100\\n' >/etc/ssh/sshd_config.d/lab.conf
"""


def folder() -> Path:
    """Where the image is, or will be: named after all that it is made of."""
    key = hashlib.sha256("\n".join((SUITE, *PACKAGES, *_LEAN, _SET_UP)).encode()).hexdigest()[:12]
    return CACHE / f"{SUITE}-{key}"


def image(progress: Callable[[str], None] = lambda _: None) -> Path:
    """The image's folder, never to be written to. Two callers at once make one.

    The first call takes a minute or two and 900 MB of disk, from Debian's mirror.

    Raises:
        GamedayError: it cannot be made; the sentence says why.
    """
    made = folder()
    if made.is_dir():
        return made
    CACHE.mkdir(mode=0o755, parents=True, exist_ok=True)
    with made.with_name(f"{made.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.is_dir():
            progress("image: making a Debian for the machines, a minute or two, once")
            _make(made)
    return made


def _make(made: Path) -> None:
    """Make it beside its place and move it there, so that half an image is never taken for one."""
    making = made.with_name(f"{made.name}.making")
    if making.exists():
        shutil.rmtree(making)
    hook = made.with_name(f"{made.name}.hook")
    hook.write_text(f'#!/bin/sh\nexec chroot "$1" sh <<"END"\n{_SET_UP}END\n')
    hook.chmod(0o700)
    # Its mounts and processes go with it, however it ends.
    command = ["unshare", "-m", "-p", "-f", "--mount-proc", "--kill-child=KILL"]
    command += ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}", *_LEAN]
    command += [f"--customize-hook={hook}", SUITE, str(making)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            complaint = [line for line in done.stderr.splitlines() if line.startswith(("E:", "error:"))]
            why = "; ".join(complaint[:3] or done.stderr.splitlines()[-3:]) or f"exit {done.returncode}"
            raise GamedayError(f"mmdebstrap could not make the machines' image: {why}")
        making.rename(made)
    finally:
        hook.unlink(missing_ok=True)
        shutil.rmtree(making, ignore_errors=True)


if __name__ == "__main__":
    try:
        image(lambda text: print(text, flush=True))  # noqa: T201 -- it may take minutes
    except GamedayError as error:
        sys.exit(f"gameday: {error}")
