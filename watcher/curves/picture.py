"""One picture of how a job trains, for whoever cannot open the page: as SVG, and as PNG for chats and mail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import as_file, files
from xml.sax.saxutils import escape

from watcher.curves.charts import Chart, Frame, charts, marks
from watcher.domain.telemetry import MetricPoint
from watcher.domain.text import excerpt

SIZE = (800, 400)
"""Width and height in pixels. Chats show a picture at about half of this, and it is still read there."""
_LEFT, _TOP, _RIGHT, _BOTTOM = 74, 44, 20, 40
"""What is left around the curves for the scales and the names."""
_COLOURS = ("#0b57c2", "#b3201b", "#16713c", "#7a5b00", "#6b3fa0", "#00707a")
_DASHES = ("", "9 5", "", "9 5", "3 3", "3 3")
"""Curves are told apart without their colours as well."""
_INK, _QUIET, _LINE = "#1b1d21", "#5b616b", "#d9dce1"
_MOST_NAMED = 3
_LONGEST_NAME = 24
_NAME_WIDTH = 8.4
"""Pixels of a character of a name, about."""
_FONT, _FAMILY = "DejaVuSans.ttf", "DejaVu Sans"


def curve_png(points: Sequence[MetricPoint]) -> bytes | None:
    """Draw the losses of a job, or its accuracies where it has no losses, as a PNG of 800 by 400 pixels.

    It has 5 to 40 kB and takes a processor some 50 ms, so let a thread do it. None: nothing can be drawn.
    """
    import resvg_py  # some megabytes, which only those pay for who draw

    picture = curve_svg(points)
    if picture is None:
        return None
    # A font of our own: containers have none.
    with as_file(files("watcher.curves").joinpath(_FONT)) as font:
        return resvg_py.svg_to_bytes(
            picture, skip_system_fonts=True, font_files=[str(font)], font_family=_FAMILY, sans_serif_family=_FAMILY
        )


def curve_svg(points: Sequence[MetricPoint]) -> str | None:
    """Draw the same as SVG, on white, without styles: it may stand anywhere. None: nothing can be drawn."""
    width, height = SIZE[0] - _LEFT - _RIGHT, SIZE[1] - _TOP - _BOTTOM
    found = charts(points, width, height)
    if not found:
        return None
    chart = found[0]
    frame = Frame(chart.low, chart.high, chart.first_step, chart.last_step, width, height)
    label = f"{chart.kind} from step {chart.first_step} to {chart.last_step}"
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{SIZE[0]}" height="{SIZE[1]}" ',
            f'viewBox="0 0 {SIZE[0]} {SIZE[1]}" role="img" aria-label="{label}"><title>{label}</title>',
            '<rect width="100%" height="100%" fill="#fff"/>',
            f'<g font-family="{_FAMILY}, sans-serif" font-size="15" fill="{_QUIET}">',
            f'<g transform="translate({_LEFT} {_TOP})">{"".join(_scales(frame))}{"".join(_lines(chart))}</g>',
            *_names(chart),
            "</g></svg>",
        ]
    )


def _scales(frame: Frame) -> Iterator[str]:
    values = marks(frame.low, frame.high, 6) or [frame.low]
    for value in values:
        y = frame.y(value)
        yield f'<path d="M0 {y:.1f}H{frame.width}" stroke="{_LINE}"/>'
        yield f'<text x="-10" y="{y + 5:.1f}" text-anchor="end">{value:.4g}</text>'
    steps = [step for step in marks(frame.first, frame.last, 5) if step == int(step)] or [frame.first]
    for step in steps:
        x = frame.x(step)
        anchor = "middle" if x < frame.width - 20 else "end"
        yield f'<text x="{x:.1f}" y="{frame.height + 26}" text-anchor="{anchor}">{step:.7g}</text>'
    yield f'<path d="M0 {frame.height}H{frame.width}" stroke="{_QUIET}"/>'


def _lines(chart: Chart) -> Iterator[str]:
    for index, curve in enumerate(chart.curves):
        colour, dash = _COLOURS[index], _DASHES[index]
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        if len(curve.points) == 1:
            x, y = curve.line.split(",")
            yield f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}"/>'
        else:
            yield (
                f'<polyline points="{curve.line}" fill="none" stroke="{colour}" stroke-width="2.5" '
                f'stroke-linejoin="round"{dashed}/>'
            )


def _names(chart: Chart) -> Iterator[str]:
    """Name the curves above them, with their last values."""
    x = float(_LEFT)
    for index, curve in enumerate(chart.curves[:_MOST_NAMED]):
        name = f"{excerpt(curve.series, _LONGEST_NAME)} {curve.last:.4g}"
        dash = f' stroke-dasharray="{_DASHES[index]}"' if _DASHES[index] else ""
        yield f'<path d="M{x:.0f} 22h28" stroke="{_COLOURS[index]}" stroke-width="3"{dash}/>'
        yield f'<text x="{x + 36:.0f}" y="27" fill="{_INK}">{escape(name)}</text>'
        x += 36 + len(name) * _NAME_WIDTH + 28
