"""The form for a new silence, read as what the API takes."""

from __future__ import annotations

from collections.abc import Mapping

from watcher.domain.durations import parse_duration
from watcher.domain.jobs import label_of
from watcher.domain.silences import LONGEST_SILENCE
from watcher.server.problems import Mistake, refuse


def read_label(text: str) -> tuple[str, str]:
    """Read a label. Raises ValueError."""
    label = label_of(text)
    if label is None:
        raise ValueError("expected NAME=VALUE")
    return label


def silence_document(form: Mapping[str, str]) -> Mapping[str, object]:
    """Return what the API would be sent for a form. Raises Problem for what cannot be said so."""
    mistakes: list[Mistake] = []
    labels: dict[str, str] = {}
    for field in ("label", "and_label"):
        try:
            labels |= dict([read_label(form[field].strip())]) if field in form else {}
        except ValueError as error:
            mistakes.append(Mistake("Label", str(error)))
    if not labels and "source" not in form and "everything" not in form and not mistakes:
        mistakes.append(Mistake("What", "expected a label, a source, or everything"))
    seconds = 0
    try:
        seconds = int(min(parse_duration(form.get("for", "")), LONGEST_SILENCE * 2).total_seconds())
    except ValueError as error:
        mistakes.append(Mistake("For", f"expected {error}"))
    refuse(mistakes)
    return {
        "for_seconds": seconds,
        "labels": labels,
        "source": form.get("source"),
        "all": "everything" in form,
        "reason": form.get("reason"),
    }
