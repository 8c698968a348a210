"""Messages: an event as text for people and as data for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial

from watcher.domain.conditions import Condition, ConditionChange
from watcher.domain.documents import read_document
from watcher.domain.durations import format_duration
from watcher.domain.events import Event
from watcher.domain.jobs import JobError
from watcher.domain.states import NEWS_MARK, JobState, mark, shown_status
from watcher.domain.telemetry import point_row
from watcher.domain.template_values import values_of
from watcher.domain.text import excerpt, on_one_line, shortened
from watcher.domain.time_in_status import previous_status
from watcher.domain.transitions import Reason, Transition, event_id

ENVELOPE_LIMIT = 20_000
"""The largest envelope in bytes; Standard Webhooks asks for payloads under 20 kB."""
_LONGEST_VALUE = 500
"""How much of a text stands in a line, in characters."""
_LONGEST_SCALAR = 200
"""How much of a text stays in a job that has to be cut down, in characters."""
_LONE_SURROGATE = re.compile(r"(\\\\|\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2})|\\ud[89a-f][0-9a-f]{2}")
"""In JSON: half a character, for which strict readers refuse the whole text. Group 1 is what only looks like it."""


class Severity(StrEnum):
    """How a person takes the news."""

    GOOD = "good"
    BAD = "bad"
    CANCELLED = "cancelled"
    """A person has stopped it: neither good nor bad."""
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class Detail:
    """One line of what a person wants to know. The value may come from the API: escape it."""

    label: str
    value: str
    is_code: bool = False
    """Whether the value is to be copied as it stands."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """A job, or what else an event is about, in a message about several. Texts may come from the API: escape them."""

    name: str
    outcome: str
    """Its state, or what is wrong with it, such as `stuck`; empty in a row that only says how many more there are."""
    severity: Severity
    detail: str = ""
    """What matters most then: why it failed, what the model is called, for how long it has been so."""
    url: str | None = None
    """The job's page at its service."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a notifier sends, in a form of its own. Texts may come from the API: escape them."""

    id: str
    """`evt_…`: the idempotency key, the same over retries, restarts and replicas."""
    type: str
    """`fine_tuning.job.<status>`, or `watcher.test`."""
    created_at: datetime
    title: str
    severity: Severity
    facts: tuple[Detail, ...]
    data: Mapping[str, object]
    """The `data` of the envelope."""
    url: str | None = None
    """The job's page at its service, for people."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Those of the job."""
    thread: str | None = None
    """What a receiver shows together: a job with its conditions, a source, a notifier. None: it stands by itself."""
    text: str | None = None
    """What is told in place of the facts, in words of the settings and in the receiver's own markup, in which all that
    comes from elsewhere is escaped already: see `Plugin.markup`. It may have several lines. None: the facts."""
    table: tuple[TableRow, ...] = ()
    """What a message about several events tells, for receivers that show tables. The facts say the same in lines."""
    values: Callable[[], Mapping[str, object]] | None = field(default=None, compare=False)
    """Returns what templates may say, worked out only where there is one; None: it is told in the built-in words."""


def message_of(event: Event) -> Message:
    """Return the message of an event."""
    if isinstance(event, ConditionChange):
        return _message_of_condition(event)
    return Message(
        id=event.id,
        type=event.type,
        created_at=event.at,
        title=_title(event),
        severity=_SEVERITIES.get(event.state, Severity.NEUTRAL),
        facts=tuple(facts_of(event)),
        data=_data(event),
        url=event.facts.page_url,
        labels=event.labels,
        thread=event.thread,
        values=partial(values_of, event),
    )


def message_of_test(notifier: str, now: datetime) -> Message:
    """Return a message that is plainly a test, for `watcher notify test`."""
    return Message(
        id=event_id("test", notifier, int(now.timestamp())),
        type="watcher.test",
        created_at=now,
        title=f"Test message for notifier {notifier}",
        severity=Severity.NEUTRAL,
        facts=(Detail("Note", "If you can read this, alerts of finetune-watcher arrive here."),),
        data={"test": True, "notifier": notifier},
    )


def facts_of(transition: Transition) -> list[Detail]:
    """Return what a person wants to know of a transition."""
    job = transition.facts
    is_named = transition.title != transition.key.id  # else the title says it
    facts = [Detail("Job", transition.key.id, is_code=True)] if is_named else []
    if job.model:
        facts.append(Detail("Model", job.model))
    if transition.previous_status:
        facts.append(Detail(_BEFORE, shown_status(transition.previous_status, transition.previous_state)))
        if lasted := previous_status(transition):
            facts.append(Detail("Time in that status", str(lasted)))
    if transition.skipped:
        facts.append(Detail("Passed over", ", ".join(transition.skipped)))
    if transition.state is JobState.SUCCEEDED:
        facts += _facts_of_success(transition)
    if transition.state is JobState.FAILED:
        facts += _facts_of_failure(transition)
    return facts + [Detail(label, value) for label, value in job.more]


def line_of(message: Message) -> str:
    """Return the message as one readable line, safe to show on a terminal: when, what, and each fact."""
    when = f"{message.created_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    told = [(fact.label, fact.value) for fact in message.facts] if message.text is None else []
    if "source" in message.data and "Source" not in (label for label, _ in told):
        told.append(("Source", str(message.data["source"])))
    told.append(("Event", message.id))
    facts = (f"{label.lower()}: {excerpt(value, _LONGEST_VALUE)}" for label, value in told)
    own = [excerpt(line, _LONGEST_VALUE) for line in (message.text or "").splitlines()]
    news = message.title if message.text is not None else _news(message)
    return "  ".join([when, f"{_MARKS[message.severity]} {excerpt(news, _LONGEST_VALUE)}", *own, *facts])


def encode(message: Message, limit: int = ENVELOPE_LIMIT) -> str:
    """Return the message as the webhook envelope: one line of ASCII JSON, at most `limit` bytes.

    The shape is that of OpenAI's own webhook events. A job too large for the limit is cut down to its scalar
    fields, and says so with `"truncated": true`. Its name and labels, which are the user's own, are never cut.
    """
    for cut in (_whole, _scalars, _short_scalars):
        text = _dump(message, cut)
        if len(text) <= limit:
            return text
    return _dump(message, _nothing)


_Cut = Callable[[Mapping[str, object]], Mapping[str, object]]


def _dump(message: Message, cut: _Cut) -> str:
    data = dict(message.data)
    job = data.get("job")
    if isinstance(job, Mapping):
        data["job"] = cut(job)
    envelope = {
        "id": message.id,
        "object": "event",
        "created_at": int(message.created_at.timestamp()),
        "type": message.type,
        "data": data,
    }
    text = json.dumps(envelope, separators=(",", ":"), allow_nan=False)
    return _LONE_SURROGATE.sub(lambda found: found[1] or r"\ufffd", text)


def _whole(job: Mapping[str, object]) -> Mapping[str, object]:
    return job


def _scalars(job: Mapping[str, object]) -> Mapping[str, object]:
    return {name: value for name, value in job.items() if not isinstance(value, dict | list)} | {"truncated": True}


def _short_scalars(job: Mapping[str, object]) -> Mapping[str, object]:
    return {
        name: value[:_LONGEST_SCALAR] if isinstance(value, str) else value
        for name, value in _scalars(job).items()
        if len(name) <= _LONGEST_SCALAR
    }


def _nothing(_job: Mapping[str, object]) -> Mapping[str, object]:
    return {"truncated": True}


def _news(message: Message) -> str:
    before = next((fact.value for fact in message.facts if fact.label == _BEFORE), None)
    if before is None or "sample" in message.data:
        return message.title
    now = shown_status(str(message.data["native_status"]), JobState(str(message.data["state"])))
    return f"{message.data['name'] or message.data['id']}: {before} → {now}"


_BEFORE = "Before"
"""What a fact is called that tells of the previous status."""
_MARKS: Mapping[Severity, str] = {
    Severity.GOOD: mark(JobState.SUCCEEDED),
    Severity.BAD: mark(JobState.FAILED),
    Severity.CANCELLED: mark(JobState.CANCELLED),
    Severity.NEUTRAL: NEWS_MARK,
}
_SEVERITIES: Mapping[JobState, Severity] = {
    JobState.SUCCEEDED: Severity.GOOD,
    JobState.FAILED: Severity.BAD,
    JobState.CANCELLED: Severity.CANCELLED,
}


def _title(transition: Transition) -> str:
    name, status = shortened(transition.title), shown_status(transition.status, transition.state)
    match transition.reason:
        case Reason.FIRST_SEEN:
            return f"{name}: first seen, {status}"
        case Reason.REOPENED | Reason.REGRESSED:
            return f"{name}: {status} ({transition.reason})"
        case _:
            return f"{name}: {status}"


def _message_of_condition(event: ConditionChange) -> Message:
    condition = event.condition
    return Message(
        id=event.id,
        type=event.type,
        created_at=event.at,
        title=event.title,
        severity=_severity_of(condition),
        facts=tuple(Detail(label, value) for label, value in (*condition.facts, *_how_it_lasts(event))),
        data={**condition.data, **_lasting(event)},
        labels=event.labels,
        thread=event.thread,
        values=partial(values_of, event),
    )


def _severity_of(condition: Condition) -> Severity:
    """Return how a person takes it; a job that ended badly is no good news, though its trouble is over."""
    if not condition.is_good:
        return Severity.BAD
    has_ended_badly = condition.data.get("state") in (JobState.FAILED.value, JobState.CANCELLED.value)
    return Severity.CANCELLED if has_ended_badly else Severity.GOOD


def _how_it_lasts(event: ConditionChange) -> list[tuple[str, str]]:
    if event.since is None:
        return []
    begun, lasted = f"{event.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC", format_duration(event.at - event.since)
    if not event.reminder:
        return [("Not cleared", f"for {lasted}, since {begun}")]
    return [("Since", f"{begun}, for {lasted}"), ("Reminder", str(event.reminder))]


def _lasting(event: ConditionChange) -> Mapping[str, object]:
    if event.since is None:
        return {}
    reminder = {"reminder": event.reminder} if event.reminder else {}
    return {**reminder, "since": int(event.since.timestamp())}


def _facts_of_success(transition: Transition) -> list[Detail]:
    job = transition.facts
    facts = _model_of(transition)
    if job.trained_tokens is not None:
        facts.append(Detail("Trained tokens", f"{job.trained_tokens:,}"))
    if job.created_at:
        facts.append(Detail("Duration", format_duration((job.finished_at or transition.observed_at) - job.created_at)))
    return facts + [Detail(words_of_series(point.series), f"{point.value:.4g}") for point in transition.measured]


def words_of_series(series: str) -> str:
    """Return the name of a series as people write it: `train_loss` is the "Train loss"."""
    return series.replace("_", " ").capitalize()


def _facts_of_failure(transition: Transition) -> list[Detail]:
    error = transition.facts.error or JobError()
    told = {"Error code": error.code, "Error": on_one_line(error.message or ""), "Parameter": error.param}
    return [Detail(label, value) for label, value in told.items() if value] + _model_of(transition)


def _model_of(transition: Transition) -> list[Detail]:
    """Return the name of the result, which a failed job may have as well."""
    model = transition.facts.fine_tuned_model
    return [Detail("Fine-tuned model", model, is_code=True)] if model else []


def _data(transition: Transition) -> Mapping[str, object]:
    return {
        "id": transition.key.id,
        "source": transition.key.source,
        "name": transition.name,
        "labels": dict(transition.labels),
        "previous_status": transition.previous_status,
        "status": transition.word,
        "state": transition.state.value,
        "native_status": transition.status,
        "reason": str(transition.reason),
        "skipped": list(transition.skipped),
        "observed_at": int(transition.observed_at.astimezone(UTC).timestamp()),
        "job": read_document(transition.document),
        **({"metrics": [point_row(point) for point in transition.measured]} if transition.measured else {}),
    }
