"""Which tests share a worker, and in which order: a lab is dear, so those that need one share few.

The screens, which need none, take the processors when nobody else does: the labs' leases are seconds long. Whoever has
ended with its share takes what shares nothing: the files of unit.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARES: dict[str, tuple[str, ...]] = {
    "machines-1": ("test_residue", "test_partition_guarded"),
    "machines-2": ("test_it_does_not_lie", "test_store_machines", "test_chaos_systemd", "test_components_systemd"),
    "machines-3": (
        "test_postgres_crash_systemd", "test_hanging_revert", "test_game_day", "test_a_second_console",
        "test_resources", "test_lab_monitoring",
    ),
    "nodes-1": (
        "test_llm_gateway_kill", "test_suites", "test_chaos", "test_components", "test_pg_connection_exhaustion",
    ),
    "nodes-2": ("test_interruptions", "test_late_signing"),
    "ui": (),
    "machine-1": (
        "test_guard_systemd", "test_guard_shell", "test_guard_killed", "test_plug", "test_undo", "test_nodes",
    ),
    "machine-2": ("test_guard",),
    "nodes-3": ("test_postgres_crash", "test_embedded_game_day", "test_service_stack_restart"),
    "own-machines": ("test_lab_systemd", "test_node_reboot"),
    "nodes-4": (
        "test_store_embedded", "test_capabilities", "test_cpu_pressure", "test_trials", "test_recovery", "test_probes",
        "test_fleet",
    ),
}  # fmt: skip
"""Share -> its files of tests/integration, the longest shares first; any other file is a share of its own, but `ui`."""
PATIENT = "ui"
PATIENCE = 4
"""How much nicer those are than the others."""
_SHARE_OF = {file: share for share, files in SHARES.items() for file in files}
_ORDER = [*SHARES, "integration"]


def give_way(file: Path) -> None:
    """Let this worker's processes go before others', or behind them, as the test in `file` may. (As root.)"""
    if os.geteuid() == 0:  # nobody else may go back
        os.setpriority(os.PRIO_PROCESS, 0, PATIENCE if file.parent.name == PATIENT else 0)


def spread(items: list[pytest.Item]) -> None:
    """Give every test its share, and put them in the order in which shares are begun."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_share(item.path)))
    items.sort(key=lambda item: _place(item.path))


def _share(file: Path) -> str:
    if file.parent.name == PATIENT:
        return PATIENT
    return (
        _SHARE_OF[file.stem]
        if file.parent.name == "integration" and file.stem in _SHARE_OF
        else f"{file.parent.name}-{file.stem}"
    )


def _place(file: Path) -> int:
    share = _share(file)
    kind = share if share in SHARES else file.parent.name
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)
