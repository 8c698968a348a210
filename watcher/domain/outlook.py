"""Who would hear of what, and when, and why not: what `explain` and `routes test` show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from watcher.domain.conditions import ConditionChange, missing_condition, stuck_condition
from watcher.domain.durations import format_duration
from watcher.domain.events import Event
from watcher.domain.jobs import Job, JobFacts, Observation
from watcher.domain.notifications import plan
from watcher.domain.routing import Route, RouteMatch, match_route
from watcher.domain.silences import Silence, first_that_mutes
from watcher.domain.states import OPENAI_STATES, JobState, Status
from watcher.domain.transitions import Transition, detect

Row = dict[str, Any]

MISSING, STUCK = "missing", "stuck"
"""Words for what may be said of a job besides its states."""
_LONG = timedelta(days=1)


def supposed(job: Job, word: str, now: datetime) -> Event:
    """Return the event of a job that is next seen in a state or a status, or is found `missing` or `stuck`."""
    if word == MISSING:
        return ConditionChange(missing_condition(job, now), 1, now)
    if word == STUCK:
        lasting = job._replace(status=str(Status.RUNNING), state=JobState.RUNNING, status_since=now - _LONG)
        return ConditionChange(cast(Any, stuck_condition(lasting, now, {Status.RUNNING: _LONG})), 1, now)
    return _transition_to(job, word, now)


def outlook(event: Event, routes: Sequence[Route], silences: Sequence[Silence], now: datetime) -> list[Row]:
    """Show for each notifier whether it would hear of an event that happens now, when, and why not, or why then."""
    silence = first_that_mutes(event, silences, now)
    return [_prospect(event, route, silence, now) for route in routes]


def _prospect(event: Event, route: Route, silence: Silence | None, now: datetime) -> Row:
    match = match_route(route, event)
    nothing = {"notifier": route.notifier, "hears": "no", "when": None, "at": None}
    if match is not RouteMatch.WANTED:
        return {**nothing, "why": _WHY[match].removeprefix("no: ")}
    if silence:
        return {**nothing, "why": silence.title}
    after = route.after if isinstance(event, ConditionChange) else None
    begin = now + (after or timedelta())
    condition = f"only if it lasts for {format_duration(after)}" if after else None
    (planned,) = plan(event, [route], begin)
    until = planned.hold_until or (begin if begin > now else None)
    return {
        "notifier": route.notifier,
        "hears": "yes",
        "when": f"in {format_duration(until - now)}" if until else "now",
        "at": (until or now).astimezone(UTC).isoformat(timespec="seconds"),
        "why": " · ".join(filter(None, [condition, planned.reason])) or None,
    }


def routing_rows(job: Job, routes: Sequence[Route], now: datetime) -> list[Row]:
    """Show which notifiers would hear of which status of the job, and why not of the others."""
    return [
        {"notifier": route.notifier} | {status: _WHY[match] for status, match in _matches(job, route, now).items()}
        for route in routes
    ]


def wishes(job: Job, routes: Sequence[Route], now: datetime) -> list[Row]:
    """Show the same for programs: whether a notifier wants a status, and the reason if it does not."""
    found = [(route.notifier, _matches(job, route, now)) for route in routes]
    return [
        {
            "notifier": notifier,
            "wants": {status: match is RouteMatch.WANTED for status, match in matches.items()},
            "why_not": {status: str(match) for status, match in matches.items() if match is not RouteMatch.WANTED},
        }
        for notifier, matches in found
    ]


_WHY = {
    RouteMatch.WANTED: "yes",
    RouteMatch.FIRST_SIGHT: "no: a first sight",
    RouteMatch.OTHER_STATUS: "no: other statuses",
    RouteMatch.OTHER_LABELS: "no: other labels",
    RouteMatch.OTHER_EVENTS: "no: other events",
    RouteMatch.OTHER_SOURCES: "no: other sources",
    RouteMatch.OTHER_NAMES: "no: other names",
    RouteMatch.ITS_OWN_FAILURE: "no: its own failure",
}


def _matches(job: Job, route: Route, now: datetime) -> Mapping[str, RouteMatch]:
    return {str(status): match_route(route, _transition_to(job, status, now)) for status in Status}


def _transition_to(job: Job, status: str, now: datetime) -> Transition:
    """Suppose that the job is next seen in this status, or state."""
    state = JobState(status) if status in set(JobState) else OPENAI_STATES(status)
    observed = Observation(job.key, status, state, now, job.facts or JobFacts(), "{}")
    before = job if job.status != status else job._replace(status="(another status)")
    return cast(Transition, detect(before, observed))
