"""The faults: one module each, all of them four scripts. `AnyFault` is what a scenario may name."""

from __future__ import annotations

from console.faults.call_errors import CallErrors
from console.faults.component_delay import ComponentDelay
from console.faults.component_error import ComponentError
from console.faults.component_kill import ComponentKill
from console.faults.connection_flood import ConnectionFlood
from console.faults.cpu_pressure import CpuPressure
from console.faults.disk_fill import DiskFill
from console.faults.memory_pressure import MemoryPressure
from console.faults.network_partition import NetworkPartition
from console.faults.node_reboot import NodeReboot
from console.faults.postgres_crash import PostgresCrash
from console.faults.process_signal import ProcessSignal
from console.faults.service_restart import ServiceRestart
from console.faults.store_disk_full import StoreDiskFull
from console.faults.store_read_only import StoreReadOnly
from console.faults.store_second_opener import StoreSecondOpener
from console.faults.store_unmounted import StoreUnmounted

AnyFault = (
    ProcessSignal
    | ConnectionFlood
    | ServiceRestart
    | CpuPressure
    | NetworkPartition
    | NodeReboot
    | DiskFill
    | MemoryPressure
    | PostgresCrash
    | CallErrors
    | ComponentKill
    | ComponentDelay
    | ComponentError
    | StoreDiskFull
    | StoreUnmounted
    | StoreReadOnly
    | StoreSecondOpener
)
