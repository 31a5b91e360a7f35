"""Where everything of a lab lies, by name: the one place that knows the paths in a lab's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LAB_MARK = "GAMEDAY_LAB"
"""Environment variable that every process of a lab carries, with the lab's id: how leftovers are found."""
NODE_MARK = "GAMEDAY_NODE"


@dataclass(frozen=True)
class NodeLayout:
    """The folders of one node."""

    root: Path

    @property
    def name(self) -> str:
        """The node's name."""
        return self.root.name

    @property
    def home(self) -> Path:
        """HOME of everything that runs on the node."""
        return self.root / "home"

    @property
    def bin(self) -> Path:
        """First on the node's PATH: systemctl, psql."""
        return self.root / "bin"

    @property
    def units(self) -> Path:
        """Unit files, one a service; edited ones count from the next start on."""
        return self.root / "units"

    @property
    def state(self) -> Path:
        """What `systemctl show` prints, one file a unit, written by the supervisor."""
        return self.root / "state"

    @property
    def control(self) -> Path:
        """The FIFO by which the systemctl shim asks the supervisor for something."""
        return self.root / "control"

    @property
    def run(self) -> Path:
        """The guard's folder, `run_dir` of the inventory."""
        return self.root / "run"

    @property
    def undo(self) -> Path:
        """Where the guard's folder is also kept, `undo_dir` of the inventory."""
        return self.root / "undo"

    @property
    def log(self) -> Path:
        """Logs of the supervisor and the services."""
        return self.root / "log"

    @property
    def stores(self) -> Path:
        """A folder for each store's files: on nodes with disks of their own, a disk each."""
        return self.root / "srv"

    @property
    def token(self) -> Path:
        """The token for what services offer in development only."""
        return self.home / "dev-token"

    @property
    def passfile(self) -> Path:
        """The node's ~/.pgpass."""
        return self.home / ".pgpass"

    def make(self) -> None:
        """Make the node's folders, closed to others."""
        for folder in (self.root, self.home, self.bin, self.units, self.state, self.run, self.undo, self.log):
            folder.mkdir(mode=0o700, exist_ok=True)


@dataclass(frozen=True)
class LabLayout:
    """The files of one lab."""

    root: Path

    @property
    def mark(self) -> Path:
        """Says that the folder is a lab's and may be wiped by the next `up`; locked while the lab runs."""
        return self.root / "gameday-lab.lock"

    @property
    def facts(self) -> Path:
        """Id, pid and ports of the lab, as JSON."""
        return self.root / "lab.json"

    @property
    def inventory(self) -> Path:
        """The inventory file for the console; exists only while the lab is ready."""
        return self.root / "inventory.yaml"

    @property
    def keys(self) -> Path:
        """SSH host, login and approval keys."""
        return self.root / "keys"

    @property
    def known_hosts(self) -> Path:
        """The nodes' host keys."""
        return self.keys / "known_hosts"

    @property
    def allowed_signers(self) -> Path:
        """Who may approve, in OpenSSH's format."""
        return self.keys / "allowed_signers"

    @property
    def approvals(self) -> Path:
        """The folder in which signatures arrive."""
        return self.root / "approvals"

    def dev_token(self, node: str) -> Path:
        """The console's copy of that node's token for development, where the node's own file is out of its reach."""
        return self.keys / f"dev_token_{node}"

    @property
    def passfile(self) -> Path:
        """The console's pgpass file."""
        return self.root / "pgpass"

    @property
    def superuser_passfile(self) -> Path:
        """The pgpass file of the database's superuser, for the lab and its tests."""
        return self.keys / "pgpass-superuser"

    @property
    def tpm_inbox(self) -> Path:
        """Where notices of a test window end up."""
        return self.root / "tpm-inbox.log"

    @property
    def hosts(self) -> Path:
        """The /etc/hosts of nodes that have networks of their own."""
        return self.root / "hosts"

    @property
    def log(self) -> Path:
        """What the lab's daemon says."""
        return self.root / "daemon.log"

    @property
    def pgdata(self) -> Path:
        """PostgreSQL's data directory, on bluefin."""
        return self.root / "bluefin" / "pgdata"

    @property
    def backups(self) -> Path:
        """Backups of the database, on bluefin."""
        return self.root / "bluefin" / "backups"

    def node(self, name: str) -> NodeLayout:
        """The folders of that node."""
        return NodeLayout(self.root / name)
