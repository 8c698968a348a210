"""Templates and what they are given to write with: every text is escaped, and none can drive the page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.metadata import version
from math import isnan
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from watcher.domain.durations import format_duration
from watcher.domain.jobs import Job, JobKey
from watcher.domain.states import mark
from watcher.domain.text import excerpt, printable
from watcher.server.page.assets import address

NOTHING = "-"
"""Stands where there is nothing to say."""
_MINUTE = timedelta(minutes=1)
LONGEST_TEXT = 2_000
"""Characters of one text of a service that a page shows."""


def render(template: str, **values: object) -> str:
    """Render a template of this package."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("watcher.server.page"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        auto_reload=False,
    )
    environment.filters |= {
        "brief": brief,
        "job_path": job_path,
        "lasting": lasting,
        "mark": mark,
        "moment": moment,
        "safe_text": safe_text,
        "seconds": format_duration,
        "state_word": state_word,
        "value": value,
    }
    environment.globals |= {"asset": address, "version": version("finetune-watcher")}
    return environment


def job_path(key: JobKey) -> str:
    """Return where a job's page is."""
    return f"/jobs/{quote(key.source)}/{quote(key.id, safe='')}"


def safe_text(text: object, limit: int = LONGEST_TEXT) -> str:
    """Return text of others without what reorders, hides or drives, cut where it is very long."""
    return excerpt(str(text), limit) if text is not None else ""


def state_word(job: Job) -> str:
    """Say how a job stands: its state, with the service's own word where that is another one."""
    if job.status is None or job.state is None:
        return "not seen yet"
    return str(job.state) if job.status == job.state else f"{job.state} ({printable(job.status)})"


def lasting(duration: timedelta | None) -> str:
    """Write a duration to the minute: what changes each second would make each answer a new page."""
    if duration is None:
        return NOTHING
    return "under 1m" if duration < _MINUTE else format_duration(_to_the_minute(duration))


def brief(duration: timedelta | None) -> str:
    """Write a duration that may be one of seconds, as those of statuses that no poll saw are; else to the minute."""
    if duration is None or not timedelta() < duration < _MINUTE:
        return lasting(duration)
    return format_duration(duration)


def value(number: float) -> str:
    """Write what was measured."""
    return "NaN" if isnan(number) else f"{number:.4g}".replace("inf", "∞")


def _to_the_minute(duration: timedelta) -> timedelta:
    return duration - duration % _MINUTE


def moment(at: datetime | None, now: datetime | None = None) -> Any:
    """Write a moment in UTC as an element that says so; with `now`, as how long ago or ahead it is."""
    if at is None:
        return NOTHING
    exact = at.astimezone(UTC)
    shown = f"{exact:%Y-%m-%d %H:%M:%S}Z"
    text = shown if now is None else _distance(at, now)
    # Of digits and letters alone: a page has a hundred of them, and escaping takes its time.
    return Markup(f'<time datetime="{exact.isoformat(timespec="seconds")}" title="{shown}">{text}</time>')  # noqa: S704


def _distance(at: datetime, now: datetime) -> str:
    if at > now:
        return f"in {lasting(at - now)}"
    return f"{lasting(now - at)} ago"
