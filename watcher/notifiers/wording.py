"""What notifiers for people have in common: marks, the small print, the links to a job's pages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from urllib.parse import quote

from watcher.domain.messages import Detail, Message, Severity, TableRow
from watcher.domain.states import TERMINAL
from watcher.domain.text import excerpt, utf16_length

MARKS: Mapping[Severity, str] = {
    Severity.GOOD: "\u2705",
    Severity.BAD: "\u274c",
    Severity.CANCELLED: "\U0001f6ab",
    Severity.NEUTRAL: "\u2139\ufe0f",
}
TABLE_HEAD = ("Job", "Outcome", "Details")
"""The columns of a message about several events."""
LINK_TEXT = "Open the job at its service"
PAGE_TEXT, OVERVIEW_TEXT = "Open the job in the watcher", "Open the watcher"
_ENDS = frozenset(map(str, TERMINAL))
_HALF_ESCAPE = re.compile(r"(&[a-z]{0,4}|\\+)$")
"""What the beginning of an escape looks like at the end of a text."""
_URL_CHARACTERS = ":/?#[]@!$&'()*+,;=%"


def headline_of(message: Message) -> str:
    """Return the title with the mark that says how to take it."""
    return f"{MARKS[message.severity]} {message.title}"


def cells_of(row: TableRow) -> tuple[str, str, str]:
    """Return what stands in the columns of a table; the outcome has its mark."""
    return row.name, f"{MARKS[row.severity]} {row.outcome}" if row.outcome else "", row.detail


def own_lines_of(message: Message, limit: int, most: int = 50) -> list[str]:
    """Return the lines of the message's own text, each at most so long, for receivers whose texts are plain."""
    return [excerpt(line, limit) for line in (message.text or "").splitlines()[:most]]


def cut(text: str, limit: int) -> str:
    """Return the beginning of a text in markup, with `…` where it was cut, and no escape cut in two."""
    if utf16_length(text) <= limit:
        return text
    beginning = text.encode("utf-16-le", "replace")[: 2 * (limit - 1)].decode("utf-16-le", "ignore")
    return _HALF_ESCAPE.sub("", beginning) + "…"


def small_print_of(message: Message) -> list[Detail]:
    """Return the source, the team, the time and the id of the event. Values may come from an API: escape them."""
    team = team_of(message)
    is_said = any(fact.label == "Source" for fact in message.facts)  # as conditions do
    return [
        *([Detail("Source", str(message.data["source"]))] if "source" in message.data and not is_said else []),
        *([Detail("Team", team)] if team else []),
        Detail("Time", moment_of(message)),
        Detail("Event", message.id, is_code=True),
    ]


def ends_job(message: Message) -> bool:
    """Tell whether the message says that a job has ended: then a picture of how it trained is whole."""
    return "previous_status" in message.data and message.data.get("state") in _ENDS


def team_of(message: Message) -> str | None:
    """Return the label `team` of the job."""
    return message.labels.get("team")


def moment_of(message: Message) -> str:
    """Return when it happened, with the time zone."""
    return f"{message.created_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def links_of(message: Message, public_url: str | None, limit: int) -> Mapping[str, str]:
    """Return the addresses of the job's pages by what they are called: that of the watcher, that of its service.

    What is about no job leads to the watcher's overview.
    """
    page = _page_of(message, public_url, limit)
    found = {PAGE_TEXT: page, OVERVIEW_TEXT: None if page else public_url, LINK_TEXT: quoted(message.url, limit)}
    return {text: target for text, target in found.items() if target}


def left_out(count: int, what: str = "fact") -> str:
    """Say how many facts, or other things, a message has no room for."""
    return f"1 more {what} is left out" if count == 1 else f"{count} more {what}s are left out"


def quoted(url: str | None, limit: int) -> str | None:
    """Return an address that people may be led to, quoted; None for any other, and for one that does not fit."""
    if not url or not url.startswith(("http://", "https://")):
        return None
    target = quote(url.encode("utf-8", "replace"), safe=_URL_CHARACTERS)
    return target if len(target) <= limit else None


def _page_of(message: Message, public_url: str | None, limit: int) -> str | None:
    source, job_id = message.data.get("source"), message.data.get("id")
    if public_url is None or not isinstance(source, str) or not isinstance(job_id, str):
        return None
    target = f"{public_url}/jobs/{quote(source)}/{quote(job_id.encode('utf-8', 'replace'), safe='')}"
    return target if len(target) <= limit else None
