"""A click group that imports a command when it is used, and says every failure in one sentence."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import Any, NoReturn

import click

EXIT_REFUSED = 3
EXIT_CRASH = 70
"""EX_SOFTWARE: the console is at fault."""
EXIT_INTERRUPTED = 130


class LazyGroup(click.Group):
    """Knows its commands by `module:attribute` and a line of help."""

    def __init__(self, *args: Any, commands_at: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.commands_at = commands_at

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which one needs them."""
        return list(self.commands_at)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the one command that is meant."""
        if cmd_name not in self.commands_at:
            return None
        module, _, attribute = self.commands_at[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the near match for a name that is none."""
        if args and args[0] not in self.commands_at and not args[0].startswith("-"):
            from console.errors import near_match

            hint = near_match(args[0], self.commands_at) or f", there are {', '.join(self.commands_at)}"
            raise click.UsageError(f"there is no command '{args[0]}'{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from the lines of help that are here."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.commands_at.items()])


class RootGroup(LazyGroup):
    """The whole program: a command's return value is the exit code, an error is one line on stderr."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        *more: Any,
        **extra: Any,
    ) -> NoReturn:
        """Run the command and exit.

        Exit codes: 0, or what the command returns; 2 bad input; 3 refused or unreachable; 70 a fault of the console;
        130 interrupted.
        """
        extra["standalone_mode"] = False
        for stream in (sys.stdout, sys.stderr):  # a terminal that lacks a glyph gets a question mark
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="replace")
        try:
            code = super().main(args, prog_name or "gameday", *more, **extra)
        except (KeyboardInterrupt, click.Abort):
            _say("interrupted")
            sys.exit(EXIT_INTERRUPTED)
        except click.ClickException as error:
            _say(error.format_message())
            sys.exit(click.UsageError.exit_code)
        except Exception as error:
            sys.exit(_told(error))
        sys.exit(code if isinstance(code, int) else 0)


def _told(error: Exception) -> int:
    """Say the error to the operator; the exit code that it stands for."""
    from console.errors import BadInput, GamedayError

    if isinstance(error, GamedayError):
        _say(str(error))
        return click.UsageError.exit_code if isinstance(error, BadInput) else EXIT_REFUSED
    from console.cli.crash import keep

    _say(f"the console itself failed ({type(error).__name__}: {error}); {keep(error)}")
    return EXIT_CRASH


def _say(sentence: str) -> None:
    click.echo(f"gameday: {' '.join(sentence.split())}", err=True)
