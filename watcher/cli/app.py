"""The commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from watcher.cli import (
    backup,
    config,
    deliveries,
    demo,
    discover,
    explain,
    jobs,
    metrics,
    notify,
    retrieve,
    run,
    simulate,
    sources,
    watch,
)
from watcher.cli.options import Command

app = typer.Typer(
    name="watcher",
    help="Watches fine-tuning jobs and delivers every status change: to chat, mail, signed webhooks and more.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(cls=Command)(run.run)
app.command(cls=Command)(watch.watch)
app.command(cls=Command)(retrieve.retrieve)
jobs.app.command(cls=Command)(discover.discover)
app.add_typer(jobs.app, name="jobs")
app.add_typer(sources.app, name="sources")
app.add_typer(deliveries.app, name="deliveries")
app.command(cls=Command)(explain.explain)
app.command(cls=Command)(metrics.metrics)
app.command(cls=Command)(backup.backup)
app.add_typer(notify.app, name="notify")
app.add_typer(config.app, name="config")
app.command(cls=Command)(demo.demo)
app.command(cls=Command)(simulate.simulate)


def _show_version(wanted: bool) -> None:
    if wanted:
        from watcher import __version__

        typer.echo(f"watcher {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Watches fine-tuning jobs and delivers every status change: to chat, mail, signed webhooks and more."""
