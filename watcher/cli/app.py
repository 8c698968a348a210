"""The commands, put together."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from watcher.cli.options import Command

_HELP = "Watches fine-tuning jobs and delivers every status change: to chat, mail, signed webhooks and more."
_COMMANDS = (
    "run",
    "watch",
    "retrieve",
    "jobs",
    "sources",
    "deliveries",
    "silence",
    "routes",
    "explain",
    "metrics",
    "backup",
    "notify",
    "config",
    "demo",
    "simulate",
)
"""In the order of the help. Each is a module of this package, with a function of the same name, or with an `app`."""


def make_app(arguments: Sequence[str]) -> typer.Typer:
    """Put together what the arguments of the command line need: the command that they begin with, else all commands.

    To load the others would take longer than all the rest of a short command.
    """
    app = typer.Typer(
        name="watcher",
        help=_HELP,
        no_args_is_help=True,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(help=_HELP)(_main)
    first = arguments[0] if arguments else ""
    for name in (first,) if first in _COMMANDS else _COMMANDS:
        module = import_module(f"watcher.cli.{name}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
        else:
            app.command(cls=Command)(getattr(module, name))
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        from watcher import __version__

        typer.echo(f"watcher {__version__}")
        raise typer.Exit


def _main(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options that belong to no command."""
