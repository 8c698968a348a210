"""How a job trains as one picture, for chats and mail."""

from __future__ import annotations

import math
import struct
import xml.etree.ElementTree as ET
from collections.abc import Sequence

import pytest

from tests.doubles import START
from watcher.curves.charts import MOST_DRAWN, charts, marks
from watcher.curves.picture import SIZE, curve_png, curve_svg
from watcher.domain.telemetry import MetricPoint

LARGEST_BYTES = 40_000


def points(series: str, *values: float) -> list[MetricPoint]:
    return [MetricPoint(series, step, value, START) for step, value in enumerate(values, 1)]


LOSSES = points("train_loss", *(2.5 - step / 500 for step in range(1000))) + points("valid_loss", 2.0, 1.5)


def test_a_png_holds_curves_and_words_also_where_there_are_no_fonts() -> None:
    picture = curve_png(LOSSES)
    assert picture is not None
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", picture[16:24]) == SIZE
    unnamed = curve_png([point._replace(series="loss") for point in LOSSES])
    assert unnamed != picture, "the names of the series are not drawn"
    assert len(picture) <= LARGEST_BYTES


@pytest.mark.parametrize("nothing", [[], points("train_loss", math.nan, math.inf), points("learning_rate", 1.0)])
def test_nothing_is_drawn_of_nothing(nothing: Sequence[MetricPoint]) -> None:
    assert curve_png(nothing) is None
    assert curve_svg(nothing) is None


@pytest.mark.parametrize(
    "strange",
    [
        points("train_loss", 1.0),
        points("loss", 1e308, -1e308, math.nan),
        points("<b>\u202e&loss\x00" * 40, 1.0, 2.0),
        [MetricPoint("loss", step, 1.0, START) for step in (0, 2**62)],
        [each for number in range(12) for each in points(f"loss {number}", 1.0, float(number))],
    ],
    ids=["one point", "huge", "hostile", "flat, of many steps", "many series"],
)
def test_what_is_strange_is_drawn_as_well(strange: Sequence[MetricPoint]) -> None:
    drawing = curve_svg(strange)
    assert drawing is not None
    assert "\u202e" not in drawing
    assert {each.tag.rpartition("}")[2] for each in ET.fromstring(drawing).iter()} <= {
        "svg", "title", "rect", "g", "path", "text", "polyline", "circle"
    }  # fmt: skip
    assert curve_png(strange)


def test_a_spike_is_seen_however_much_is_drawn_as_one() -> None:
    (chart,) = charts(points("train_loss", *(9.0 if step == 777 else 1.0 for step in range(5_000))))
    assert chart.high == 9.0
    assert ",0.0" in chart.curves[0].line
    assert len(chart.curves[0].line.split()) <= MOST_DRAWN


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.11, 2.49, [0.5, 1.0, 1.5, 2.0]),
        (1, 600, [200, 400, 600]),
        (-1e308, 1e308, [-1e308, -5e307, 0, 5e307, 1e308]),
        (1.0, 1.0, []),
        (0.0, 5e-324, []),
    ],
)
def test_a_scale_has_round_numbers(low: float, high: float, expected: Sequence[float]) -> None:
    assert marks(low, high, 5) == pytest.approx(expected)
