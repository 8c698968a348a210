"""Several events as one message: a table of jobs and outcomes, failures first, and with a digest how all stands now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from watcher.domain.conditions import STUCK, ConditionChange, stuck_condition
from watcher.domain.events import Event, title_of_job
from watcher.domain.jobs import Job
from watcher.domain.messages import Detail, Message, Severity, TableRow, message_of
from watcher.domain.overview import counted
from watcher.domain.polling_policy import is_reported_missing
from watcher.domain.routing import Route, wants_job
from watcher.domain.states import is_terminal
from watcher.domain.text import excerpt, shortened
from watcher.domain.time_in_status import present_status
from watcher.domain.transitions import Transition, event_id

MOST_ROWS = 40
"""Jobs, and what else there are events of, that have a row of their own in one message."""
_LONGEST_NAME, _LONGEST_OUTCOME = 80, 40
_LONGEST_DETAIL = 120
"""How much of a text stands in a row, in characters."""
_ORDER: Mapping[Severity, int] = {Severity.BAD: 0, Severity.CANCELLED: 1, Severity.GOOD: 2, Severity.NEUTRAL: 3}


def message_of_several(events: Sequence[Event]) -> Message:
    """Return one message for several events: how many of which kind, then a row for each job, failures first."""
    if len(events) == 1:
        return message_of(events[0])
    return _summary("watcher.batch", "", events, _latest(events), ())


def message_of_digest(events: Sequence[Event], present: Mapping[str, TableRow]) -> Message:
    """Return one message for what came since the last digest, and for what runs now and is stuck.

    `present` are the rows of the jobs that have not ended, by their threads: see `present_rows`.
    """
    news = [event for event in _latest(events) if not _is_said(event, present.get(event.thread))]
    return _summary("watcher.digest", "Digest: ", events, news, [*present.values()])


def present_rows(
    jobs: Iterable[Job], route: Route, stuck_after: Mapping[str, timedelta], now: datetime
) -> Mapping[str, TableRow]:
    """Return a row for each job that has been seen and has not ended, by its thread: those that a route is about."""
    unended = (job for job in jobs if job.state is not None and not is_terminal(job.state) and wants_job(route, job))
    return {str(job.key): _row_of_job(job, stuck_after, now) for job in unended}


def _row_of_job(job: Job, stuck_after: Mapping[str, timedelta], now: datetime) -> TableRow:
    name, stay = excerpt(job.title, _LONGEST_NAME), f"{job.status} for {present_status(job, now)}"
    if is_reported_missing(job):
        return TableRow(name, "missing", Severity.BAD, excerpt(job.last_error or "", _LONGEST_DETAIL))
    if stuck_condition(job, now, stuck_after):
        return TableRow(name, STUCK, Severity.BAD, excerpt(stay, _LONGEST_DETAIL))
    lasting = excerpt(stay.removeprefix(f"{job.state} "), _LONGEST_DETAIL)
    return TableRow(name, str(job.state), Severity.NEUTRAL, lasting, job.facts.page_url if job.facts else None)


def _is_said(event: Event, present: TableRow | None) -> bool:
    """Tell whether the present row of an event's job says the same, and later."""
    if present is None:
        return False
    if isinstance(event, Transition):
        return not is_terminal(event.state)
    return event.type == f"watcher.job.{present.outcome}"


def _latest(events: Iterable[Event]) -> list[Event]:
    """Leave out what a job has passed through, and what was only told again."""
    kept: dict[object, Event] = {}
    for event in events:
        is_change = isinstance(event, ConditionChange) and not event.reminder
        kept[(event.thread, event.id) if is_change else event.subject] = event
    return list(kept.values())


def _row(event: Event, message: Message) -> TableRow:
    told = {fact.label: fact.value for fact in message.facts}
    detail = told.get("Error") or told.get("Fine-tuned model") or told.get("Error code") or ""
    name = title_of_job(event)
    if isinstance(event, ConditionChange):
        first = message.facts[0]
        detail = detail or (event.condition.title.removeprefix(f"{shortened(name)} ") if name else "")
        name = name or f"{first.label} {first.value}"
    return TableRow(
        excerpt(name or "", _LONGEST_NAME),
        _outcome(event),
        message.severity,
        detail=excerpt(detail, _LONGEST_DETAIL),
        url=message.url,
    )


def _outcome(event: Event) -> str:
    """Return what happened in a word or two: `failed`, `still unreachable`, `diverges`."""
    word = event.type.rpartition(".")[2].replace("_", " ")
    if isinstance(event, ConditionChange):
        word = str(event.condition.data.get("anomaly", word)).replace("_", " ")
        word = f"still {word}" if event.reminder else word
    return excerpt(word, _LONGEST_OUTCOME)


def _summary(
    kind: str, opening: str, events: Sequence[Event], latest: Sequence[Event], present: Sequence[TableRow]
) -> Message:
    told = {event.id: message_of(event) for event in events}
    news, messages = [_row(event, told[event.id]) for event in latest], told.values()
    rows = sorted([*news, *present], key=lambda row: _ORDER[row.severity])
    shown = rows[:MOST_ROWS]
    if more := len(rows) - len(shown):
        shown.append(TableRow(f"and {more} more", "", Severity.NEUTRAL))
    ids = sorted(message.id for message in messages)
    return Message(
        id=event_id(f"@{kind.rpartition('.')[2]}", ",".join(ids), 0),
        type=kind,
        created_at=max(message.created_at for message in messages),
        title=opening
        + "; ".join(filter(None, [_counted(news, events), f"now {_in_words(present)}" if present else ""])),
        severity=rows[0].severity,
        facts=tuple(map(_fact, shown)),
        table=tuple(shown),
        data={"events": [{"id": message.id, "type": message.type, "data": message.data} for message in messages]},
    )


def _counted(rows: Sequence[TableRow], events: Sequence[Event]) -> str:
    """Say how many of which outcome there are: `12 jobs: 2 failed, 10 succeeded`."""
    if not rows:
        return ""
    what = "jobs" if all(isinstance(event, Transition) for event in events) else "events"
    return f"{counted(len(rows), what)}: {_in_words(rows)}"


def _in_words(rows: Sequence[TableRow]) -> str:
    ordered = sorted(rows, key=lambda row: _ORDER[row.severity])
    return ", ".join(f"{count} {outcome}" for outcome, count in Counter(row.outcome for row in ordered).items())


def _fact(row: TableRow) -> Detail:
    if not row.outcome:
        return Detail("and", row.name.removeprefix("and "))
    return Detail(row.outcome, f"{row.name} ({row.detail})" if row.detail else row.name)
