"""What lies on each machine when it boots: accounts, host keys, the federation's services, the database's settings."""

from __future__ import annotations

import secrets
from pathlib import Path

from console.lab import postgres
from console.lab.fleet import SSH_USER, LabNode, LabService, stores
from console.lab.layout import LabLayout
from console.lab.network import LOOPBACK
from console.lab.private_file import write_private
from console.lab.systemd.hardware import HARDWARE
from console.lab.systemd.image import SERVICE_USER
from console.lab.systemd.machine import MEMINFO
from console.lab.systemd.monitoring import lay_out_monitoring
from console.lab.systemd.network import MachineNetwork
from console.lab.systemd.skeleton import PROGRAMS, ROOT, UNITS, Owner, Skeleton
from console.lab.units import FIU_FOLDERS, Programs, preload_of, program_unit

CLUSTER_UNIT = "postgresql@15-main.service"
BACKUPS = "/var/backups/federation"
CRASH_BACKUPS = "/var/backups/before-a-crash"
"""Apart: its files are for root and the database's owner, and the checklist reads the others as the operator."""
LOG = "/var/log/federation"
STORES = "/srv"
TOKEN = "/etc/federation/dev-token"
_PROGRAMS = Programs(
    *("/usr/bin/python3", f"{PROGRAMS}/console/lab/services", PROGRAMS, LOG),
    unit=(f"User={SERVICE_USER}",),
    stores=STORES,
    preload=preload_of(FIU_FOLDERS[0]),
    token=TOKEN,
)
_CLUSTER = """
listen_addresses = '*'
max_connections = 60
superuser_reserved_connections = 3
shared_buffers = 32MB
max_wal_size = 128MB
min_wal_size = 32MB
"""
_RESTART = """
# Debian restarts no dead cluster: its unit ignores a failed start, and says nothing about restarts.
[Service]
Restart=on-failure
RestartSec=1
TimeoutStartSec=60
ExecStart=
ExecStart=/usr/bin/pg_ctlcluster --skip-systemctl-redirect %i start
"""
_PATIENCE = """
# A service that does not end must not keep a machine from its reboot for systemd's own 90 s.
[Manager]
DefaultTimeoutStopSec=15s
"""
_TRUE_MEMORY = f"""
[Unit]
Description=Tells of this machine's own memory, not of its host's
DefaultDependencies=no
Before=sysinit.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/mount --bind {MEMINFO} /proc/meminfo

[Install]
WantedBy=multi-user.target
"""


def unit_of(service: LabService) -> str:
    """The unit by which the machine knows that service."""
    return CLUSTER_UNIT if service.name == "postgresql" else service.unit


def lay_out(lab: LabLayout, node: LabNode, tree: Skeleton, network: MachineNetwork) -> None:
    """Write what every machine has, and the services of this one."""
    tree.file("/etc/hostname", f"{node.name}\n")
    tree.file("/etc/hosts", network.hosts())
    tree.file("/etc/ssh/ssh_host_ed25519_key", (lab.keys / f"host_{node.name}").read_text(), 0o600)
    operator = tree.user(SSH_USER)
    key = (lab.keys / "authorized_keys").read_text()
    tree.folder(f"{operator.home}/.ssh", 0o700, operator)
    # A key that may become root is worth nothing from anywhere else.
    tree.file(f"{operator.home}/.ssh/authorized_keys", f'from="{network.console}" {key}', 0o600, operator)
    tree.file("/etc/sudoers.d/gameday", f"{SSH_USER} ALL=(root) NOPASSWD: ALL\n", 0o440)
    for path in HARDWARE[node.name].never:
        tree.folder(path)
    tree.file("/etc/systemd/system.conf.d/lab.conf", _PATIENCE)
    tree.unit("true-memory.service", _TRUE_MEMORY)
    tree.programs()
    lay_out_monitoring(tree, node.name)
    owner = tree.user(SERVICE_USER)
    tree.folder(LOG, 0o755, owner)
    for service in stores(node):
        tree.folder(f"{STORES}/{service.name}", 0o755, owner)
    tree.folder(str(Path(TOKEN).parent))
    token = secrets.token_hex(16)
    tree.file(TOKEN, token, 0o600, owner)
    write_private(lab.dev_token(node.name), token)
    for service in node.services:
        if service.name != "postgresql":
            tree.unit(service.unit, program_unit(service, node, network, _PROGRAMS))


def lay_out_database(tree: Skeleton, network: MachineNetwork, cluster: postgres.Cluster, *, stock: bool) -> None:
    """Write the settings of bluefin's cluster; `stock`: with Debian's own unit, which restarts nothing."""
    rule = f"host all all {network.range} scram-sha-256\n"
    owner = tree.user("postgres")
    configuration = "/etc/postgresql/15/main"
    tree.file(f"{configuration}/conf.d/lab.conf", _CLUSTER, owner=owner)
    local = "local all postgres peer\nlocal all prometheus peer\n" + f"host all all {LOOPBACK}/32 scram-sha-256\n"
    tree.file(f"{configuration}/pg_hba.conf", local + rule, 0o640, owner)
    if not stock:
        tree.file(f"{UNITS}/{CLUSTER_UNIT}.d/restart.conf", _RESTART)
    tree.unit("postgresql.service")
    operator = tree.user(SSH_USER)
    for user in (operator, ROOT):  # faults run as root
        passwords = cluster.pgpass(postgres.CONSOLE_ROLE, postgres.SERVICE_ROLE)
        tree.file(f"{user.home}/.pgpass", passwords, 0o600, user)
    # Its group is what new files in it get: the operator's account may look at backups.
    tree.folder(BACKUPS, 0o2750, Owner(owner.uid, operator.gid))
    tree.folder(CRASH_BACKUPS, 0o700, owner)


def lay_out_clients(tree: Skeleton, cluster: postgres.Cluster) -> None:
    """Write what redfin's services need to get into the database."""
    service = tree.user(SERVICE_USER)
    tree.file(f"{service.home}/.pgpass", cluster.pgpass(postgres.SERVICE_ROLE), 0o600, service)
