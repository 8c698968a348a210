"""Who wants a job watched, as its row says it: the configuration, a command, the API, rules of discovery.

A row that says nothing is of a job of which nobody noted it, or which a person has removed.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement

from watcher.store.schema import job


def has_origin(origin: str) -> ColumnElement[bool]:
    """Return whether an origin is among those that want a job."""
    return (" " + job.c.origin + " ").contains(f" {origin} ", autoescape=True)


def with_origin(text: str | None, origin: str | None, *, is_removed: bool) -> str | None:
    """Return what a row says once another one wants its job too.

    Where nobody knows who wanted it first, that stays so: it must not end with the newcomer.
    """
    if is_removed:
        return origin
    if text is None or origin is None or origin in text.split():
        return text
    return " ".join(sorted([*text.split(), origin]))


def without_origin(text: str | None, origin: str) -> str:
    """Return what a row says once one does not want its job any more; empty where nobody is left."""
    return " ".join(each for each in (text or "").split() if each != origin)
