"""What every fault is: four POSIX sh scripts, what they need, and what they may hurt."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from console.terms import Risk


class DatabaseTarget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A PostgreSQL database as the node sees it. The password is not here: psql reads ~/.pgpass."""

    host: str
    port: int
    dbname: str
    user: str
    node: str = ""
    """The node that it runs on."""
    unit: str = ""
    """The unit that runs it; empty: not known."""
    backup_dir: str = ""
    """Where a fault that needs a fresh backup puts it, on its node; empty: nowhere."""


class StoreTarget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A store of keyed records as its node sees it. See the inventory's Store."""

    name: str
    path: str
    """The folder of its files."""
    unit: str
    url: str = ""
    command: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    """What opens it a second time; empty: nothing is known that does."""


class ComponentTarget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of one application, as its node sees it: by the processes that it is, or by the port where it answers."""

    name: str
    process: str = ""
    port: int = 0
    """On this node; 0: it has none."""
    dev_url: str = ""
    """Where the application can be asked for the fault; empty: nowhere."""
    token_file: str = ""
    """On the console; what it says is never in a plan."""


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a fault needs to know of the node that it acts on; everything is already resolved."""

    node: str
    """The node's name in the inventory."""
    run: str
    """The run id, with which everything that the fault makes is marked."""
    units: tuple[str, ...] = ()
    """The units of the services that are hit, in order; empty where the fault is not about a unit."""
    process: str = ""
    """The pattern that the service's command line matches; empty where there is none."""
    database: DatabaseTarget | None = None
    store: StoreTarget | None = None
    metrics: str = ""
    """Where the service that is hit counts its errors, as Prometheus text; empty: nowhere."""
    component: ComponentTarget | None = None
    peer: str = ""
    """The name of the other node, for faults between two; empty where there is none."""
    peers: tuple[str, ...] = ()
    """The addresses by which this node reaches it; names are resolved there."""
    peer_port: int = 22
    """Its SSH port: something that listens."""
    never: tuple[str, ...] = ()
    """Paths that no fault may touch."""
    window: tuple[int, int] | None = None
    """The maintenance window, in seconds since the epoch; None: any time."""
    run_dir: str = "/run/gameday"
    """Where the guard keeps a run's scripts on the node."""
    undo_dir: str = "/var/lib/gameday"
    """Where it keeps what has to outlive a reboot."""
    memory_limit_mb: int | None = None
    """What may be taken for the whole of its memory, as the inventory says, in MiB; None: no more is known."""
    memory_disks: tuple[str, ...] = ()
    """File systems in memory that may be filled like a disk."""


class Scripts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The four POSIX sh texts of one fault on one node; each starts with `set -eu`.

    They are called by path, without arguments, with the environment variable GAMEDAY_DIR set to the action's own folder
    on the node (mode 0700), in which they may keep state. It lies in memory: after a reboot it is made again, empty but
    for what inject had put into GAMEDAY_UNDO, and revert and clean must do with that. GAMEDAY_UNDO is the action's
    folder on the node's disk where the fault survives a reboot, else the same as GAMEDAY_DIR. What inject notes there
    has to be synced before the thing is made that it tells of: shell.KEEP does that. GAMEDAY_CONSOLE,
    for preflight too, is the address from which the console's SSH comes and the port at which it arrives, as the node
    sees them (like `192.0.2.7 22`; a jump host's, where there is one; empty where it cannot be told). What each
    promises:

    inject  makes the fault; everything that it makes carries the run id.
    effect  exit 0: the fault acts now; 1: it does not, the reason on stdout; else unknown.
    revert  idempotent; works on a full disk, without network and after a partial inject.
    clean   exit 0: no trace of any fault of this kind on the node; 1: traces, listed on stdout; else unknown.

    Some lines have a meaning to the console: `restored: UNIT` on revert's stdout (it had to start UNIT, which had not
    come back by itself), `warning: …` on preflight's, and on effect's `finding: …`, which is noted once, and
    `struck: N s ago`, for a blow that needs time before it falls: limits and the recovery time count from then. effect
    may exit 3 while inject is still under way, with how far it is on stdout.
    """

    inject: str
    effect: str
    revert: str
    clean: str
    preflight: str = ""
    """Asked at the baseline, changes nothing, needs no GAMEDAY_DIR: exit 0: the fault can be made and will mean
    something; 1: it would not, the reason on stdout; 3: a guard rail forbids it, the reasons on stdout, each on a line
    that a line `fix: …` may follow; else unknown. Asked as well before anyone ticks a checklist, where only a 3 counts.
    Empty: nothing to ask."""


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """Base of the faults. A subclass's fields are its parameters, with their bounds and defaults.

    A fault runs nothing itself: given a target it returns data.
    """

    risk_floor: ClassVar[Risk]
    """A scenario cannot claim less."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Programs that the node must have, by name."""
    sustained: ClassVar[bool]
    """True: acts until it is reverted, proven again every 5 s. False: a blow whose self-recovery is judged."""
    survives_reboot: ClassVar[bool] = False
    """True: what it made is still there after a reboot, so that its scripts must be too. See Scripts."""
    reboots: ClassVar[bool] = False
    """True: the node's link and guard are lost by design; without named services it is about all of the node's."""
    needs_database: ClassVar[bool] = False
    needs_units: ClassVar[bool] = False
    needs_process: ClassVar[bool] = False
    needs_window: ClassVar[bool] = False
    """Only inside a maintenance window, which is signed with the plan."""
    beside_database: ClassVar[bool] = False
    """Acts on the database's own node, and on its unit."""
    needs_peer: ClassVar[bool] = False
    needs_store: ClassVar[bool] = False
    """Acts on a store's files or on its opening; the store's unit is the target's."""
    needs_component: ClassVar[Literal["", "process", "port"]] = ""
    """Acts on a component of the service that is known by this; the fault's `component` names it."""
    development_only: ClassVar[bool] = False
    """Refused on nodes and services that the inventory marks as production."""

    @property
    def kind(self) -> str:
        """The fault's name in scenarios."""
        return str(self.__struct_config__.tag)

    @property
    def summary(self) -> str:
        """Kind and the parameters that matter, in a few words, like `process-signal TERM`."""
        return self.kind

    @property
    def revert_limit_s(self) -> float:
        """The longest that `revert` may take, in seconds, on a loaded node."""
        return 10.0

    @property
    def lasts_s(self) -> float:
        """For how long the fault is held before it is reverted, in seconds; 0 for a blow."""
        return 0.0

    def inject_limit_s(self, target: Target) -> float:
        """The longest that `inject` may run on that target, in seconds, on a loaded node."""
        return 10.0

    def blast_radius(self, target: Target) -> str:
        """One sentence for the operator: what can be hurt by this fault on that node."""
        raise NotImplementedError

    def scripts(self, target: Target) -> Scripts:
        """The four scripts for that target.

        Raises:
            Refused: a guard rail forbids this fault on that target.
        """
        raise NotImplementedError


class Held(Fault, frozen=True):
    """Base of the faults that act from their proof on until `hold_s` is over, and are then reverted."""

    sustained: ClassVar[bool] = True

    hold_s: Annotated[float, msgspec.Meta(ge=1, le=600)] = 30.0
    """For how long, in seconds."""

    @property
    def summary(self) -> str:
        """Like `store-disk-full, held for 15 s`."""
        return f"{self.kind}, held for {self.hold_s:g} s"

    @property
    def lasts_s(self) -> float:
        """As long as it is held."""
        return self.hold_s
