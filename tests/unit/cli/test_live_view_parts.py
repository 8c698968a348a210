"""The parts of the live view: rows that fit, sparklines, what a window is told, choosing from a list."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.doubles import START
from watcher.cli.choice import read_choice
from watcher.cli.followed_jobs import JobRow
from watcher.cli.glyphs import FINE, PLAIN, bar, glyphs_for, sparkline
from watcher.cli.job_table import LAYOUTS, table
from watcher.cli.terminal_window import Notice, has_progress, has_title, notice_for, notification
from watcher.cli.text_width import width_of
from watcher.domain.jobs import Basis, Forecast, Progress, ProgressUnit
from watcher.domain.states import JobState
from watcher.domain.telemetry import TRAIN_LOSS, MetricPoint
from watcher.domain.training import Training

LOSSES = tuple(MetricPoint(TRAIN_LOSS, step, 2 / step, START) for step in range(1, 41))


def a_row(
    title: str = "support-bot",
    state: JobState = JobState.RUNNING,
    progress: Progress | None = None,
    trouble: str | None = None,
    again: str | None = None,
) -> JobRow:
    return JobRow(
        title=title,
        status=str(state),
        state=state,
        training=Training(LOSSES, progress=progress or Progress(340, 600, START)),
        elapsed=timedelta(minutes=12),
        is_elapsed_exact=True,
        expected=Forecast(START + timedelta(minutes=9), Basis.PROGRESS, START),
        answered=timedelta(seconds=3),
        trouble=trouble,
        again=again,
        note=None,
    )


@pytest.mark.parametrize("width", [8, 20, 39, 60, 79, 120, 300])
@pytest.mark.parametrize("glyphs", [FINE, PLAIN])
def test_a_row_tells_as_much_as_fits(width: int, glyphs: object) -> None:
    rows = [
        a_row("名前の長いジョブ" * 4),
        a_row(trouble="HTTP 503: The server is overloaded" * 3, again="again in 8s"),
        a_row(state=JobState.QUEUED, progress=Progress(3, None, START)),
        a_row(progress=Progress(30, None, START, ProgressUnit.PERCENT)),
    ]
    lines = table(rows, width, "⠋", FINE if glyphs is FINE else PLAIN, has_colour=False)
    assert len(lines) == 5
    if width >= 20:
        assert max(map(width_of, lines)) <= width


@pytest.mark.parametrize(
    ("status", "state", "shown"),
    [
        ("succeeded (done)", JobState.SUCCEEDED, "succeeded (done)"),
        ("running (JOB_STATE_RUNNING)", JobState.RUNNING, "running"),
        ("JOB_STATE_ARCHIVED", JobState.UNKNOWN, "JOB_STATE_ARCHI…"),
    ],
)
def test_the_word_of_the_service_stands_beside_the_state_where_it_fits(
    status: str, state: JobState, shown: str
) -> None:
    _, row = table([replace(a_row(state=state), status=status)], 150, "⠋", FINE, has_colour=False)
    assert f"  {shown}  " in row


def test_a_wide_terminal_is_told_everything() -> None:
    heading, row = table([a_row()], 150, "⠋", FINE, has_colour=False)
    assert heading.split() == ["job", "status", "progress", "loss", "age", "left", "heard"]
    assert row == (
        "⠋ support-bot  running  ━━━━━━━━━━━╸──────── 340/600  57%  0.050 █▄▃▂▂▂▁▁▁▁▁▁▁▁▁▁▁▁▁▁  12m  ≈9m (steps)  3s"
    )


@pytest.mark.parametrize(
    ("width", "told"),
    [
        (90, "HTTP 503: The server is overloaded, trying again in 8s"),
        (60, "HTTP 503, trying again in 8s"),
        (39, "HTTP 503, again in 8s"),
    ],
)
def test_trouble_is_told_in_words_with_the_next_try(width: int, told: str) -> None:
    rows = [a_row(trouble="HTTP 503: The server is overloaded", again="again in 8s")]
    assert table(rows, width, "⠋", FINE, has_colour=False)[1].endswith(f"  {told}")


def test_layouts_go_from_much_to_little() -> None:
    widths = [width_of(table([a_row()], width, "⠋", FINE, has_colour=False)[1]) for width in range(120, 15, -1)]
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) >= len(LAYOUTS) // 2


def test_sparklines_and_bars_in_any_encoding() -> None:
    assert sparkline([3, 2, 1, 2, 3], 5, FINE) == "█▅▁▅█"
    assert sparkline([1.0] * 50, 4, FINE) == "▁▁▁▁"
    assert sparkline([1, math.nan, 1e308, -1e308], 4, FINE) == "▅✕█▁"
    assert sparkline([], 4, FINE) == ""
    assert bar(0.55, 10, FINE) == "━━━━━╸────"
    assert bar(7, 4, PLAIN) == "####"
    assert (glyphs_for("utf-8"), glyphs_for("latin-1"), glyphs_for(None), glyphs_for("no such")) == (
        FINE,
        PLAIN,
        PLAIN,
        PLAIN,
    )


@pytest.mark.parametrize(
    ("environment", "title", "progress", "notice"),
    [
        ({"TERM": "linux"}, False, False, Notice.BELL),
        ({"TERM": "xterm-256color"}, True, False, Notice.BELL),
        ({"TERM": "xterm-256color", "WT_SESSION": "1"}, True, True, Notice.BELL),
        ({"TERM": "xterm-ghostty", "TERM_PROGRAM": "ghostty"}, True, True, Notice.OSC_9),
        ({"TERM": "xterm-256color", "VTE_VERSION": "8000"}, True, True, Notice.OSC_777),
        ({"TERM": "xterm-256color", "VTE_VERSION": "odd"}, True, False, Notice.OSC_777),
        ({"TERM": "xterm-kitty"}, True, False, Notice.OSC_99),
        ({"TERM": "tmux-256color", "WT_SESSION": "1", "TMUX": "/tmp/s"}, True, False, Notice.BELL),
    ],
)
def test_a_window_is_told_only_what_it_knows(
    environment: Mapping[str, str], title: bool, progress: bool, notice: Notice
) -> None:
    known = has_title(environment), has_progress(environment), notice_for(environment)
    assert known == (title, progress, notice)


def test_a_notification_drives_nothing_and_goes_through_tmux() -> None:
    told = notification("watcher", "a\x1b]0;evil\a;b", {"TERM_PROGRAM": "iTerm.app"})
    assert told == "\x1b]9;watcher: a\\x1b]0,evil\\x07,b\x1b\\\a"
    within = notification("watcher", "done", {"TERM": "tmux", "TMUX": "1", "KITTY_WINDOW_ID": "1"})
    assert within == "\x1bPtmux;\x1b\x1b]99;;watcher: done\x1b\x1b\\\x1b\\\a"
    assert notification("watcher", "done", {}) == "\a"


@pytest.mark.parametrize(
    ("answer", "chosen"),
    [
        ("1", [0]),
        (" 3, 1 ", [2, 0]),
        ("2-4", [1, 2, 3]),
        ("1 1-2", [0, 1]),
        ("all", [0, 1, 2, 3, 4]),
        ("0", None),
        ("6", None),
        ("4-2", None),
        ("one", None),
        ("1-", None),
        ("²", None),
        ("99999999999999999999", None),
        (",", None),
    ],
)
def test_numbers_choose(answer: str, chosen: list[int] | None) -> None:
    found = read_choice(answer, 5)
    assert (None if found is None else list(found)) == chosen
