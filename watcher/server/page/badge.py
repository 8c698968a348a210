"""A job's state as a small picture, for a README or a wiki."""

from __future__ import annotations

from markupsafe import escape

from watcher.domain.jobs import Job
from watcher.domain.states import JobState
from watcher.domain.text import excerpt
from watcher.server.page.templates import state_word

_COLOURS = {
    JobState.SUCCEEDED: "#16713c",
    JobState.FAILED: "#b3201b",
    JobState.RUNNING: "#0b57c2",
    JobState.CANCELLED: "#5b616b",
}
_WAITING = "#7a5b00"
_CHARACTER_WIDTH = 6.6
_MARGIN = 10
LONGEST_NAME = 40


def badge(job: Job) -> str:
    """Draw the name of a job beside its state."""
    name, state = excerpt(job.title, LONGEST_NAME), excerpt(state_word(job), LONGEST_NAME)
    left, right = _width(name), _width(state)
    colour = _COLOURS.get(job.state or JobState.UNKNOWN, _WAITING)
    name, state = escape(name), escape(state)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
        f'aria-label="{name}: {state}"><title>{name}: {state}</title>'
        f'<rect width="{left}" height="20" fill="#444"/><rect x="{left}" width="{right}" height="20" fill="{colour}"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">'
        f'<text x="{left / 2:g}" y="14">{name}</text><text x="{left + right / 2:g}" y="14">{state}</text></g></svg>'
    )


def _width(text: str) -> int:
    return round(len(text) * _CHARACTER_WIDTH) + _MARGIN
