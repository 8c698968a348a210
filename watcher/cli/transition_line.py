"""A transition in a line that fits a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from watcher.cli.text_width import width_of
from watcher.domain.overview import fact_row, result_of
from watcher.domain.states import outcome_mark, shown_status
from watcher.domain.text import excerpt, printable
from watcher.domain.transitions import Reason, Transition

_INDENT = "  "
_LONGEST_RESULT = 200
"""How much of an error is shown, in characters."""
_NOTABLE = {Reason.REOPENED, Reason.REGRESSED}


def transition_line(transition: Transition, title: str, width: int | None) -> str:
    """Return when, which job, and what became of it: its status, and the model's name or why it failed.

    What does not fit goes on another line. Names, statuses and models are never broken; an error is, between words.
    Without a width, as in a pipe, it is always one line.
    """
    when = f"{transition.observed_at.astimezone():%H:%M:%S}"
    parts = [
        f"{when} {outcome_mark(transition.state)} {printable(title)}:",
        *map(printable, _change(transition)),
    ]
    result = excerpt(result_of(fact_row(transition.facts)) or "", _LONGEST_RESULT)
    if width is None:
        return " ".join([*parts, f" {result}"]).rstrip()
    if transition.facts.fine_tuned_model:
        return "\n".join(_filled([*parts, f" {result}"], width))
    first, *others = result.split(" ")
    return "\n".join(_filled([*parts, *([f" {first}", *others] if first else [])], width))


def _change(transition: Transition) -> list[str]:
    status = shown_status(transition.status, transition.state)
    if transition.previous_status is None:
        return [f"first seen, {status}"]
    before = shown_status(transition.previous_status, transition.previous_state)
    return [before, f"→ {status} ({transition.reason})" if transition.reason in _NOTABLE else f"→ {status}"]


def _filled(parts: Sequence[str], width: int) -> list[str]:
    """Put as many parts on each line as fit there."""
    lines = [parts[0]]
    for part in parts[1:]:
        if width_of(lines[-1]) + 1 + width_of(part) <= width:
            lines[-1] += f" {part}"
        else:
            lines.append(_INDENT + part.lstrip())
    return lines
