"""Every kind of event that may be told, with and without each optional fact, by a readable name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

from tests.doubles import START, a_transition, job_in
from watcher.domain.anomalies import Anomaly
from watcher.domain.conditions import (
    STUCK_AFTER,
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
from watcher.domain.jobs import JobError, JobFacts
from watcher.domain.messages import Message, message_of, message_of_test
from watcher.domain.states import JobState, documented_word
from watcher.domain.summaries import message_of_several
from watcher.domain.transitions import Reason

FAILING = timedelta(hours=1)
FULL = JobFacts(
    model="gpt-4o-mini-2024-07-18",
    fine_tuned_model="ft:gpt-4o-mini-2024-07-18:my-org::AbC",
    created_at=START - timedelta(hours=3),
    finished_at=START,
    estimated_finish=START + timedelta(hours=1),
    trained_tokens=7,
    error=JobError("invalid_file", "The file is empty.", "training_file"),
    suffix="my-suffix",
    page_url="https://service.example/jobs/1?a=b&c=d",
    more=(("Requests", "97 of 100 completed, 3 failed"), ("Error file", "file-1")),
)


def events() -> Mapping[str, Event]:
    """Return every kind of event by its name."""
    conditions = dict(_conditions())
    changes = {name: ConditionChange(each, 7, START) for name, each in conditions.items()}
    long_ago = START - timedelta(hours=4)
    lasting = {name: each for name, each in conditions.items() if not each.is_good and each.is_about_job}
    reminders = {f"{name}, still": ConditionChange(each, 8, START, long_ago, 1) for name, each in lasting.items()}
    late = {f"{name}, not cleared": ConditionChange(each, 8, START, long_ago) for name, each in lasting.items()}
    return dict(_transitions()) | changes | reminders | late


def messages() -> Mapping[str, Message]:
    """Return every kind of message by its name: of the events, of several together, and a test."""
    single = {name: message_of(event) for name, event in events().items()}
    own = replace(
        single["failed advanced"], title="In *own* words <&>", text="first\n\n" + "&amp; \\* line of words\n" * 400
    )
    together = message_of_several(list(events().values())[:5])
    return single | {"several events": together, "own words": own, "a test": message_of_test("chat", START)}


def _transitions() -> Iterator[tuple[str, Event]]:
    for state in JobState:
        for reason in Reason:
            before = None if reason is Reason.FIRST_SEEN else "running"
            skipped = ("queued", "running") if reason is Reason.SKIPPED else ()
            yield (
                f"{state} {reason}",
                a_transition(
                    status=documented_word(state),
                    state=state,
                    reason=reason,
                    previous_status=before,
                    skipped=skipped,
                    facts=FULL,
                ),
            )
        yield (
            f"{state} in another service's word",
            a_transition(status="COMPRESSING", state=state, event_word=documented_word(state)),
        )
        yield f"{state} without any fact", a_transition(status=documented_word(state), state=state, facts=JobFacts())
        for fact in fields(JobFacts):
            without: dict[str, Any] = {fact.name: fact.default}
            facts = replace(FULL, **without)
            yield f"{state} without {fact.name}", a_transition(status=documented_word(state), state=state, facts=facts)
    for error in (JobError(), JobError(code="c"), JobError(message="m"), JobError(param="p")):
        yield f"failed with {error}", a_transition(status="failed", facts=JobFacts(error=error))
    for optional in ("name", "previous_since"):
        yield f"without {optional}", a_transition(**{optional: None})
    yield "without labels", a_transition(labels={})
    yield "with a document that is no object", a_transition(document="[1, null]")


def _conditions() -> Iterator[tuple[str, Condition]]:
    long_ago = START - FAILING
    healths = {
        "silent": Health("openai", failing_since=long_ago, error="HTTP 503"),
        "silent without a reason": Health("openai", failing_since=long_ago),
        "rejecting": Health("openai", rejection="HTTP 401: bad key"),
        "well": Health("openai", last_success=START),
        "broken": Health("openai", failing_since=long_ago, error="notifier broke: KeyError", is_broken=True),
    }
    for name, health in healths.items():
        for condition in source_conditions(health, START):
            yield f"source {name}: {condition.type}", condition
        if of_notifier := notifier_condition(health, START):
            yield f"notifier {name}: {of_notifier.type}", of_notifier
    for named in ("support-bot", None):
        job = job_in("running", status_since=START - timedelta(days=3), name=named, labels={"team": "nlp"})
        about = "named job" if named else "job without a name"
        stuck = stuck_condition(job, START, STUCK_AFTER)
        assert stuck
        yield f"{about} stuck", stuck
        for anomaly in (*Anomaly, None):
            yield f"{about} trains: {anomaly}", training_condition(job, anomaly)
        for status in (None, "running", "succeeded", "failed"):
            now = job_in(status, name=named)._replace(labels=job.labels)
            yield f"{about} found, {status}", found_condition(now)
            yield f"{about} unstuck, {status}", unstuck_condition(now, job, START)
            yield f"{about} trained, {status}", trained_condition(now)
        yield f"{about} missing", missing_condition(job._replace(last_error="HTTP 404"), START)
        yield (
            f"{about} missing without an error",
            missing_condition(job._replace(status=None, state=None, last_error=None), START),
        )
    yield "store failing", store_condition("/var/lib/watcher/watcher.db", "the disk is full")
