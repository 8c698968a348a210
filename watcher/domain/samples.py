"""Samples of every kind of event, for `watcher notify test NAME --sample KIND`: what they tell of exists nowhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import sin

from watcher.domain.anomalies import Anomaly
from watcher.domain.conditions import (
    Condition,
    ConditionChange,
    Health,
    found_condition,
    missing_condition,
    notifier_condition,
    source_conditions,
    store_condition,
    stuck_condition,
    trained_condition,
    training_condition,
    unstuck_condition,
)
from watcher.domain.events import Event
from watcher.domain.jobs import Job, JobError, JobFacts, JobKey
from watcher.domain.messages import Message, message_of
from watcher.domain.routing import Route
from watcher.domain.states import PATH, JobState, documented_word
from watcher.domain.summaries import message_of_digest, message_of_several, present_rows
from watcher.domain.telemetry import TRAIN_LOSS, VALID_LOSS, MetricPoint, latest
from watcher.domain.transitions import Reason, Transition, next_seq

SAMPLE = "sample"
"""The name of the source, and the label `team`, of all samples."""
REMINDER, ESCALATION, SEVERAL, DIGEST = "reminder", "escalation", "several", "digest"
"""Kinds that are no state and no condition: a condition told again, or told late to others; several events together,
those of a day."""
_KEY = JobKey(SAMPLE, "ftjob-sample")
_NAME = "support-bot v3"
_STAY = timedelta(minutes=41)
_STEPS = 600
_OUTAGE = timedelta(hours=1)
_ERROR = JobError("invalid_training_file", "Line 1207 of the training file has no assistant message.", "training_file")


def kinds() -> list[str]:
    """Name the kinds of samples: the states of a job, the watcher's conditions, and several events together."""
    return [*map(str, JobState), *_CONDITIONS, REMINDER, ESCALATION, SEVERAL, DIGEST]


def words_of_conditions() -> set[str]:
    """Return the last words of the types of conditions, such as `stuck` and `unreachable`."""
    some_time = datetime(2026, 1, 1, tzinfo=UTC)
    return {make(some_time).type.rpartition(".")[2] for make in _CONDITIONS.values()}


def sample(kind: str, now: datetime) -> Message:
    """Return a sample that says that it is one. Raises KeyError for a kind that there is not."""
    if kind == SEVERAL:
        return _marked(message_of_several(_several(now)))
    if kind == DIGEST:
        stays = {"tutor": _STAY, "router": _STAY / 3, "translator": 9 * _STAY}
        jobs = [
            _job(now)._replace(key=JobKey(SAMPLE, name), name=name, status_since=now - stays[name]) for name in stays
        ]
        present = present_rows(jobs, Route(SAMPLE), {"running": 2 * _STAY}, now)
        return _marked(message_of_digest(_several(now), present))
    return _marked(message_of(_event(kind, now)))


def points(now: datetime) -> list[MetricPoint]:
    """Return what was measured of the sample job: losses that fall."""
    steps = range(0, _STEPS + 1, 5)
    losses = {step: 2.1 / (1 + step / 40) + 0.15 * sin(step) / (1 + step / 60) for step in steps}
    return [
        MetricPoint(series, step, loss * factor, now - _STAY * (1 - step / _STEPS))
        for step, loss in losses.items()
        for series, factor in ((TRAIN_LOSS, 1.0), (VALID_LOSS, 1.15))
        if series == TRAIN_LOSS or step % 50 == 0
    ]


def _event(kind: str, now: datetime) -> Event:
    if kind in set(JobState):
        return _transition(JobState(kind), now)
    if kind in (REMINDER, ESCALATION):
        is_again = int(kind == REMINDER)
        return ConditionChange(_source(_silent(now), "reach", now), next_seq(0, now), now, now - _OUTAGE, is_again)
    return ConditionChange(_CONDITIONS[kind](now), next_seq(0, now), now)


def _several(now: datetime) -> list[Event]:
    """Return the ends of a few jobs."""
    ends = {"support-bot": "succeeded", "sql-helper": "failed", "old-idea": "cancelled", "summariser": "succeeded"}
    found = ((name, _transition(JobState(state), now)) for name, state in ends.items())
    return [replace(end, key=JobKey(SAMPLE, f"ftjob-{name}"), name=name) for name, end in found]


def _marked(message: Message) -> Message:
    data = {**message.data, "sample": True}
    return replace(message, title=f"Sample: {message.title}", data=data)


def _transition(state: JobState, now: datetime) -> Transition:
    before = PATH[max(PATH.index(state) - 1, 0)] if state in PATH else JobState.RUNNING
    facts = JobFacts(
        model="gpt-4o-mini-2024-07-18",
        fine_tuned_model="ft:gpt-4o-mini-2024-07-18:my-org::AbCdEf" if state is JobState.SUCCEEDED else None,
        created_at=now - 2 * _STAY,
        trained_tokens=1_234_567 if state is JobState.SUCCEEDED else None,
        error=_ERROR if state is JobState.FAILED else None,
    )
    status = documented_word(state)
    return Transition(
        key=_KEY,
        name=_NAME,
        labels={"team": SAMPLE},
        seq=next_seq(0, now),
        previous_status=documented_word(before),
        previous_state=before,
        status=status,
        state=state,
        reason=Reason.ADVANCED,
        skipped=(),
        observed_at=now,
        previous_since=now - _STAY,
        measured=tuple(latest(points(now))) if state is JobState.SUCCEEDED else (),
        facts=facts,
        document=json.dumps({"id": _KEY.id, "object": "fine_tuning.job", "status": status, "model": facts.model}),
    )


def _job(now: datetime) -> Job:
    return Job(
        _KEY,
        name=_NAME,
        labels={"team": SAMPLE},
        status="running",
        state=JobState.RUNNING,
        status_since=now - timedelta(days=2),
        last_error="HTTP 404: no such job",
    )


def _source(health: Health, aspect: str, now: datetime) -> Condition:
    return next(each for each in source_conditions(health, now) if each.subject.endswith(f"/{aspect}"))


def _present(condition: Condition | None) -> Condition:
    assert condition is not None  # noqa: S101 - the samples are made so that each of them holds
    return condition


def _silent(now: datetime) -> Health:
    return Health(SAMPLE, failing_since=now - _OUTAGE, error="HTTP 503: upstream connect error")


def _well(now: datetime) -> Health:
    return Health(SAMPLE, last_success=now)


_REJECTED = Health(SAMPLE, rejection="HTTP 401: Incorrect API key provided")
_CONDITIONS: Mapping[str, Callable[[datetime], Condition]] = {
    "missing": lambda now: missing_condition(_job(now), now),
    "stuck": lambda now: _present(stuck_condition(_job(now), now, {"running": timedelta(days=1)})),
    "found": lambda now: found_condition(_job(now)),
    "unstuck": lambda now: unstuck_condition(
        _job(now)._replace(status="succeeded", state=JobState.SUCCEEDED), _job(now), now
    ),
    "metrics": lambda now: training_condition(_job(now), Anomaly.DIVERGES),
    "metrics-recovered": lambda now: training_condition(_job(now), None),
    "metrics-ended": lambda now: trained_condition(_job(now)._replace(status="failed", state=JobState.FAILED)),
    "source-unreachable": lambda now: _source(_silent(now), "reach", now),
    "source-recovered": lambda now: _source(_well(now), "reach", now),
    "source-rejected": lambda now: _source(_REJECTED, "acceptance", now),
    "source-accepted": lambda now: _source(_well(now), "acceptance", now),
    "notifier-failing": lambda now: _present(notifier_condition(_silent(now), now)),
    "notifier-recovered": lambda now: _present(notifier_condition(_well(now), now)),
    "store-failing": lambda _now: store_condition("/var/lib/watcher/watcher.db", "the disk is full"),
}
