"""Which inventory is meant: the option, $GAMEDAY_INVENTORY, or the user's own file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import platformdirs

from console.errors import BadInput

if TYPE_CHECKING:
    from console.plan.inventory import Inventory

VARIABLE = "GAMEDAY_INVENTORY"


def find_inventory(option: Path | None) -> Path:
    """The inventory's file.

    Raises:
        BadInput: no inventory is named and the user has none of their own.
    """
    named = _named(option)
    if named:
        return named
    own = platformdirs.user_config_path("gameday") / "inventory.yaml"
    if own.is_file():
        return own
    raise BadInput(
        f"no inventory: name one by --inventory FILE or ${VARIABLE}, or write {own}; to practise, run `gameday demo`"
    )


def inventory_if_any(option: Path | None) -> Inventory | None:
    """The inventory, or None where none is named and the user has none of their own.

    Raises:
        BadInput: there is one, but it cannot be understood.
    """
    from console.plan.inventory import load_inventory

    try:
        file = find_inventory(option)
    except BadInput:
        return None
    return load_inventory(file)


def inventory_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option `--inventory FILE`, the same everywhere."""
    return click.option("--inventory", type=click.Path(path_type=Path), metavar="FILE", help="The inventory file.")(
        command
    )


def _named(option: Path | None) -> Path | None:
    if option:
        return option
    context = click.get_current_context(silent=True)
    before_the_command = context.find_root().params.get("inventory") if context else None
    text = before_the_command or os.environ.get(VARIABLE, "")
    return Path(text) if text else None
