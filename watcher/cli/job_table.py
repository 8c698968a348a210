"""The rows of the live view: one for each job, in columns that fit the terminal's width."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from watcher.cli.followed_jobs import JobRow
from watcher.cli.glyphs import CYAN, DIM, RED, STATE_COLOURS, YELLOW, Glyphs, bar, painted, sparkline
from watcher.cli.text_width import cut, padded, width_of
from watcher.domain.anomalies import Anomaly
from watcher.domain.durations import format_duration
from watcher.domain.jobs import Basis, Progress, ProgressUnit
from watcher.domain.states import JobState
from watcher.domain.telemetry import FULL_VALID_LOSS, TRAIN_LOSS, VALID_LOSS

_GAP = 2
_MARK_WIDTH = 2
_STATUS_WIDTH = 16
_TROUBLE_WIDTH = 24
"""Where trouble has less room beside the status, it takes its place."""
_TWO_DECIMALS = 0.1
"""A loss from here on is written with two decimals, a smaller one with three."""
_USUAL = 0.001
"""One that is smaller, or as large, is written with a power of ten."""
_BASES: Mapping[Basis, str] = {
    Basis.ESTIMATED_FINISH: "API",
    Basis.PROGRESS: "steps",
    Basis.HISTORY: "history",
}
_SERIES = {TRAIN_LOSS: "train loss", VALID_LOSS: "valid loss", FULL_VALID_LOSS: "full valid loss"}


@dataclass(frozen=True, slots=True)
class Layout:
    """How much of each column is shown; 0 or False for nothing."""

    name: int
    """The most columns of a job's name."""
    bar: int = 0
    has_counts: bool = False
    has_percent: bool = True
    has_loss: bool = True
    spark: int = 0
    has_elapsed: bool = False
    has_left: bool = False
    has_answer: bool = False


LAYOUTS: Sequence[Layout] = (
    Layout(28, 20, True, True, True, 20, True, True, True),
    Layout(20, 12, True, True, True, 12, True, True, True),
    Layout(20, 10, True, False, True, 8, True, True, True),
    Layout(16, 6, True, False, True, 8, True, True, True),
    Layout(12, 6, True, False, True, 6, True, True, True),
    Layout(12, 6, False, True, True, 6, True, True, True),
    Layout(12, 6, False, True, True, 8, True, True),
    Layout(12, 0, False, True, True, 8, False, True),
    Layout(12, 0, False, True, True, 6),
    Layout(9, 0, False, True, True, 5),
    Layout(12, 0, False, True, True),
    Layout(10, 0, False, True, False),
    Layout(8, 0, False, False, False),
)
"""The fullest one that fits is taken."""

Cell = tuple[str, str | None]
"""A text, and the colour that it is painted in."""
_EMPTY: Cell = ("", None)


def table(rows: Sequence[JobRow], width: int, mark: str, glyphs: Glyphs, *, has_colour: bool) -> list[str]:
    """Draw a heading and a line for each job, none wider than `width`. `mark` stands before those that run."""
    for layout in LAYOUTS:
        cells = [_cells(row, layout, glyphs) for row in rows]
        columns = [
            (name, max(width_of(each[name][0]) for each in cells))
            for name in _HEADINGS
            if any(each[name][0] for each in cells)
        ]
        columns = [(name, max(widest, len(_heading(name, layout)))) for name, widest in columns]
        if _MARK_WIDTH + sum(widest + _GAP for _, widest in columns) - _GAP <= width:
            break
    heading = " " * _MARK_WIDTH + _joined([(_heading(name, layout), widest) for name, widest in columns])
    lines = [painted(cut(heading.rstrip(), width), DIM if has_colour else None)]
    for row, each in zip(rows, cells, strict=True):
        lines.append(_line(row, each, columns, width, _mark(row, mark, glyphs), has_colour=has_colour))
    return lines


def standing_words(row: JobRow) -> str:
    """Say how far a job is, for the title of a window."""
    share = share_of(row.training.progress)
    return f"{share:.0%} {row.title}" if share is not None else f"{row.title}: {row.status or 'not seen yet'}"


def share_of(progress: Progress | None) -> float | None:
    """Return how much of a job is done, from 0 to 1; None where that is not known."""
    if progress is None:
        return None
    total = 100 if progress.unit is ProgressUnit.PERCENT else progress.total
    return min(max(progress.done / total, 0.0), 1.0) if total else None


def losses_of(row: JobRow) -> list[str]:
    """Return the last losses of a job, each with what it is called."""
    last = row.training.last
    return [f"{words} {last[series].value:.4g}" for series, words in _SERIES.items() if series in last]


def _line(
    row: JobRow,
    cells: Mapping[str, Cell],
    columns: Sequence[tuple[str, int]],
    width: int,
    mark: Cell,
    *,
    has_colour: bool,
) -> str:
    paint: Callable[[Cell], str] = (lambda cell: painted(*cell)) if has_colour else (lambda cell: cell[0])
    line, used = paint((padded(mark[0], _MARK_WIDTH), mark[1])), _MARK_WIDTH
    for at, (name, widest) in enumerate(columns):
        if row.trouble and at and (at > 1 or width - used - widest - _GAP < _TROUBLE_WIDTH):
            return line + paint((_trouble(row, width - used), YELLOW))
        text, colour = cells[name]
        line += paint((padded(cut(text, widest), widest), colour)) + " " * _GAP
        used += widest + _GAP
    return line + paint((_trouble(row, width - used), YELLOW)) if row.trouble else line.rstrip()


def _trouble(row: JobRow, width: int) -> str:
    """Say what is wrong and when the next poll is, as far as there is room."""
    trouble, again = row.trouble or "", row.again
    kind = trouble.partition(":")[0]
    wordings = [f"{trouble}, trying {again}", f"{kind}, trying {again}", f"{kind}, {again}"] if again else [trouble]
    return next((words for words in wordings if width_of(words) <= width), cut(kind, width))


def _joined(cells: Sequence[tuple[str, int]]) -> str:
    return (" " * _GAP).join(padded(text, widest) for text, widest in cells)


def _mark(row: JobRow, spinner: str, glyphs: Glyphs) -> Cell:
    if row.trouble and row.state:
        return glyphs.trouble, YELLOW
    if row.note:
        return glyphs.trouble, RED
    if row.state is JobState.RUNNING or row.state is None:
        return spinner, CYAN
    marks = {JobState.SUCCEEDED: glyphs.good, JobState.FAILED: glyphs.bad, JobState.CANCELLED: glyphs.other}
    return marks.get(row.state, glyphs.waiting), STATE_COLOURS.get(row.state)


def _heading(name: str, layout: Layout) -> str:
    return "done" if name == "progress" and not layout.bar else _HEADINGS[name]


_HEADINGS = {
    "name": "job",
    "status": "status",
    "progress": "progress",
    "loss": "loss",
    "elapsed": "age",
    "left": "left",
    "answer": "heard",
}


def _cells(row: JobRow, layout: Layout, glyphs: Glyphs) -> dict[str, Cell]:
    return {
        "name": (cut(row.title, layout.name), None),
        "status": (_status(row), STATE_COLOURS.get(row.state) if row.state else None),
        "progress": _progress(row, layout, glyphs),
        "loss": _loss(row, layout, glyphs) if layout.has_loss else _EMPTY,
        "elapsed": _elapsed(row) if layout.has_elapsed else _EMPTY,
        "left": _left(row, glyphs) if layout.has_left else _EMPTY,
        "answer": (_short(row.answered), DIM) if layout.has_answer and row.answered is not None else _EMPTY,
    }


def _status(row: JobRow) -> str:
    """Return the status; only the state where the service's own word beside it would not fit."""
    text = row.status or ""
    is_too_long = width_of(text) > _STATUS_WIDTH and row.state is not None and row.state is not JobState.UNKNOWN
    return str(row.state) if is_too_long else cut(text, _STATUS_WIDTH)


def _progress(row: JobRow, layout: Layout, glyphs: Glyphs) -> Cell:
    progress = row.training.progress
    share = share_of(progress)
    if progress is None:
        return _EMPTY
    if share is None:
        return (f"{progress.done} {progress.unit}", None) if layout.has_counts else _EMPTY
    is_counted = layout.has_counts and progress.unit is not ProgressUnit.PERCENT
    parts = [
        bar(share, layout.bar, glyphs),
        f"{progress.done}/{progress.total}" if is_counted else "",
        f"{share:>4.0%}" if layout.has_percent or (layout.has_counts and not is_counted) else "",
    ]
    return " ".join(part for part in parts if part).strip(), CYAN


def _loss(row: JobRow, layout: Layout, glyphs: Glyphs) -> Cell:
    losses = row.training.losses
    if row.note and not layout.has_left:
        return row.note.words, RED
    if not losses:
        return _EMPTY
    drawn = sparkline([point.value for point in losses], layout.spark, glyphs)
    colour = RED if row.note and row.note.anomaly is not Anomaly.STALLED else None
    return f"{_loss_words(losses[-1].value):<5} {drawn}".rstrip(), colour


def _loss_words(value: float) -> str:
    """Write a loss in five characters, if it has a usual size."""
    if _USUAL <= abs(value) < 1 / _USUAL:
        return f"{value:.2f}" if abs(value) >= _TWO_DECIMALS else f"{value:.3f}"
    return f"{value:.1e}" if value else "0"


def _elapsed(row: JobRow) -> Cell:
    if row.elapsed is None:
        return _EMPTY
    return f"{'' if row.is_elapsed_exact else '>'}{_short(row.elapsed)}", None


def _left(row: JobRow, glyphs: Glyphs) -> Cell:
    if row.note:
        return row.note.words, RED
    if row.expected is None or row.expected.at is None:
        return _EMPTY
    left = f"{glyphs.about}{_short(row.expected.at - row.expected.made_at)}"
    return f"{left} ({_BASES[row.expected.basis]})", None


def _short(duration: timedelta) -> str:
    return format_duration(timedelta(seconds=round(duration.total_seconds())))
