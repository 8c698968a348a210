"""`watcher deliveries`: what is owed, and what became of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.options import ConfigOption, JsonOption, as_duration, read_settings_for_store
from watcher.cli.output import write_json, write_line, write_table
from watcher.cli.store import with_store
from watcher.domain.deliveries import DeliveryState
from watcher.domain.overview import delivery_row
from watcher.service.bootstrap import utc_now

if TYPE_CHECKING:
    from watcher.store.sql import Selection

MOST = 2**63 - 1
"""What a database can count to."""

app = typer.Typer(help="Show, retry or discard deliveries.", no_args_is_help=True)

IdsArgument = Annotated[
    list[int] | None, typer.Argument(metavar="[ID]...", min=1, max=MOST, help="Deliveries, as `list` numbers them.")
]
NotifierOption = Annotated[str | None, typer.Option(metavar="NAME", help="Those to this notifier.")]
SinceOption = Annotated[
    timedelta | None,
    typer.Option(parser=as_duration, metavar="DURATION", help="Those of transitions no older than this."),
]
COLUMNS = ["id", "notifier", "source", "job", "status", "state", "attempts", "next_attempt", "last_error"]


@app.command("list")
def list_deliveries(
    state: Annotated[
        list[DeliveryState] | None, typer.Option(help="Those in this state; repeatable.", show_default="pending, dead")
    ] = None,
    notifier: NotifierOption = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="How many, newest first.")] = 100,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show deliveries that are pending or dead."""
    states = state or [DeliveryState.PENDING, DeliveryState.DEAD]
    found = with_store(config, lambda store: store.deliveries(states=states, notifier=notifier, limit=limit))
    now = utc_now()
    notifiers = read_settings_for_store(config).notifiers
    rows = [delivery_row(delivery, now, notifiers) for delivery in found]
    if as_json:
        write_json(rows)
    else:
        write_table(COLUMNS, rows, f"no deliveries are {' or '.join(states)}")


@app.command()
def retry(
    ids: IdsArgument = None, notifier: NotifierOption = None, since: SinceOption = None, config: ConfigOption = None
) -> None:
    """Send pending and dead deliveries now, and go on trying for another 72 hours."""
    selection = _selection(ids, notifier, since)
    count = with_store(config, lambda store: store.requeue(selection, utc_now()))
    write_line(f"{count} to be sent again" if count else "none of them is pending or dead")


@app.command()
def discard(
    ids: IdsArgument = None, notifier: NotifierOption = None, since: SinceOption = None, config: ConfigOption = None
) -> None:
    """Never send these pending or dead deliveries."""
    selection = _selection(ids, notifier, since)
    count = with_store(config, lambda store: store.discard(selection, utc_now()))
    write_line(f"{count} discarded" if count else "none of them is pending or dead")


def _selection(ids: list[int] | None, notifier: str | None, since: timedelta | None) -> Selection:
    from watcher.store.sql import Selection

    if not ids and notifier is None and since is None:
        raise typer.BadParameter("say which: IDs, --notifier NAME or --since DURATION")
    return Selection(tuple(ids or ()), notifier, _ago(since))


def _ago(since: timedelta | None) -> datetime | None:
    return utc_now() - since if since else None
