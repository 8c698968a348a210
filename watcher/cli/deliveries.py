"""`watcher deliveries`: what is owed, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.completion import complete_notifiers
from watcher.cli.exit_codes import Exit
from watcher.cli.options import Command, ConfigOption, JsonOption, as_duration, read_settings_for_store
from watcher.cli.output import tell, write_json, write_line
from watcher.cli.store import with_store
from watcher.cli.tables import Column, write_table
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
NotifierOption = Annotated[
    str | None, typer.Option(metavar="NAME", autocompletion=complete_notifiers, help="Those to this notifier.")
]
SinceOption = Annotated[
    timedelta | None,
    typer.Option(parser=as_duration, metavar="DURATION", help="Those of transitions no older than this."),
]
COLUMNS: Sequence[Column | str] = [
    "id",
    "notifier",
    "source",
    "job",
    "status",
    "state",
    "attempts",
    Column("next_attempt", is_text=True),
    Column("reason", is_text=True),
    Column("last_error", is_text=True),
    Column("answer", is_text=True),
]
IMPORTANT = [
    "id",
    "notifier",
    "state",
    "job",
    "status",
    "last_error",
    "answer",
    "next_attempt",
    "reason",
    "attempts",
    "source",
]


@app.command("list", cls=Command)
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
        write_table(COLUMNS, IMPORTANT, rows, f"no deliveries are {' or '.join(states)}")


@app.command(cls=Command)
def retry(
    ids: IdsArgument = None,
    notifier: NotifierOption = None,
    since: SinceOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Send pending and dead deliveries now, and go on trying for another 72 hours.

    Exit 1 when one that is named by its id is neither pending nor dead.
    """
    selection = _selection(ids, notifier, since)
    count = with_store(config, lambda store: store.requeue(selection, utc_now()))
    _conclude("to be sent again", count, selection, as_json=as_json)


@app.command(cls=Command)
def discard(
    ids: IdsArgument = None,
    notifier: NotifierOption = None,
    since: SinceOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Never send these pending or dead deliveries.

    Exit 1 when one that is named by its id is neither pending nor dead.
    """
    selection = _selection(ids, notifier, since)
    count = with_store(config, lambda store: store.discard(selection, utc_now()))
    _conclude("discarded", count, selection, as_json=as_json)


def _selection(ids: list[int] | None, notifier: str | None, since: timedelta | None) -> Selection:
    from watcher.store.sql import Selection

    if not ids and notifier is None and since is None:
        raise typer.BadParameter("say which: IDs, --notifier NAME or --since DURATION")
    return Selection(tuple(dict.fromkeys(ids or ())), notifier, _ago(since))


def _conclude(done: str, count: int, selection: Selection, *, as_json: bool) -> None:
    """Return how many were changed; what was named by its id and was not changed is a failure."""
    if as_json:
        write_json({"count": count, "asked_for": len(selection.ids) or None})
    elif count or not selection.ids:
        write_line(f"{count} {done}" if count else "none of them is pending or dead")
    if missed := len(selection.ids) - count:
        if missed < 0 or not selection.ids:
            return
        which = f"delivery {selection.ids[0]} is" if len(selection.ids) == 1 else f"{missed} of them are"
        tell(f"{which} not there, or neither pending nor dead; `watcher deliveries list` shows those that are")
        raise typer.Exit(Exit.FAILED)


def _ago(since: timedelta | None) -> datetime | None:
    return utc_now() - since if since else None
