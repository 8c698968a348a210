"""`watcher metrics`: how a job trains."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping, Sequence
from itertools import groupby
from math import isfinite
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.job_reference import JobReference
from watcher.cli.options import ConfigOption, JobArgument, JsonOption
from watcher.cli.output import write_json, write_line, write_text
from watcher.cli.plot import plot
from watcher.cli.store import find_key, with_store
from watcher.cli.tables import Column, write_table
from watcher.cli.text_width import terminal_size
from watcher.domain.telemetry import MetricPoint, point_row
from watcher.domain.text import printable
from watcher.errors import ConfigurationError

if TYPE_CHECKING:
    from watcher.store.sql import SqlStore

CsvOption = Annotated[bool, typer.Option("--csv", help="Write every point as CSV.")]
PlotOption = Annotated[bool, typer.Option("--plot", help="Draw each series in the terminal.")]
NOTHING = "no metric points yet: they come while the job runs, where its service tells them and `progress` is not off"
_COLUMNS: Sequence[Column | str] = ["series", "points", "step", "last", "least", "greatest"]


def metrics(
    job: JobArgument,
    as_csv: CsvOption = False,
    as_json: JsonOption = False,
    as_plot: PlotOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the losses and other metrics that a running service has collected of a job."""
    if as_csv + as_json + as_plot > 1:
        raise ConfigurationError("--csv, --json and --plot exclude each other: give one of them")
    points = with_store(config, lambda store: _find(store, job))
    if as_json:
        write_json([point_row(point) for point in points])
    elif as_csv:
        write_text(_csv(points))
    elif as_plot and points:
        _write_plots(points)
    else:
        write_table(_COLUMNS, ["series", "last", "step"], [_summary(*of) for of in _by_series(points)], NOTHING)


def _csv(points: Sequence[MetricPoint]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(MetricPoint._fields)
    writer.writerows((printable(point.series), point.step, point.value, point.at.isoformat()) for point in points)
    return text.getvalue()


def _write_plots(points: Sequence[MetricPoint]) -> None:
    width, _ = terminal_size(sys.stdout)
    for number, (series, of_series) in enumerate(_by_series(points)):
        if number:
            write_line("")
        for line in plot(printable(series), of_series, width):
            write_line(line.rstrip())


def _by_series(points: Sequence[MetricPoint]) -> list[tuple[str, list[MetricPoint]]]:
    return [(series, list(of)) for series, of in groupby(points, lambda point: point.series)]


def _summary(series: str, points: Sequence[MetricPoint]) -> Mapping[str, object]:
    values = [point.value for point in points if isfinite(point.value)]
    return {
        "series": series,
        "points": len(points),
        "step": points[-1].step,
        "last": f"{points[-1].value:.6g}",
        "least": f"{min(values):.6g}" if values else "",
        "greatest": f"{max(values):.6g}" if values else "",
    }


async def _find(store: SqlStore, reference: JobReference) -> Sequence[MetricPoint]:
    return await store.metric_points(await find_key(store, reference))
