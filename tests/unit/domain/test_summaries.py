"""Several events as one message: a table, failures first, and with a digest how all stands now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from tests.doubles import START, a_transition, job_in
from tests.every_event import events
from watcher.domain.anomalies import Anomaly
from watcher.domain.conditions import (
    STUCK_AFTER,
    ConditionChange,
    Health,
    source_conditions,
    stuck_condition,
    training_condition,
)
from watcher.domain.events import Event
from watcher.domain.jobs import JobError, JobFacts, JobKey
from watcher.domain.messages import Severity, TableRow, message_of
from watcher.domain.polling_policy import MISSING_TOLERATED
from watcher.domain.routing import Events, Route
from watcher.domain.summaries import message_of_digest, message_of_several, present_rows
from watcher.domain.transitions import Transition


def of_job(number: int, status: str, **changes: object) -> Transition:
    """Return how a job of this number moves on."""
    return a_transition(key=JobKey("openai", f"ftjob-{number}"), name=f"job {number}", status=status, **changes)


def cells(rows: tuple[TableRow, ...]) -> list[tuple[str, str, str]]:
    return [(row.name, row.outcome, row.detail) for row in rows]


def test_events_told_together_are_a_table_of_jobs_and_outcomes_failures_first() -> None:
    error = JobFacts(error=JobError("invalid_file", "The file is empty."))
    told = [of_job(1, "succeeded"), of_job(2, "failed", facts=error), of_job(3, "cancelled"), of_job(4, "running")]
    message = message_of_several(told)

    assert (message.type, message.title, message.severity) == (
        "watcher.batch",
        "4 jobs: 1 failed, 1 cancelled, 1 succeeded, 1 running",
        Severity.BAD,
    )
    assert cells(message.table) == [
        ("job 2", "failed", "The file is empty."),
        ("job 3", "cancelled", ""),
        ("job 1", "succeeded", "ft:gpt-4o-mini-2024-07-18:my-org::AbC"),
        ("job 4", "running", ""),
    ]
    assert (message.facts[0].label, message.facts[0].value) == ("failed", "job 2 (The file is empty.)")
    assert message.id == message_of_several(told[::-1]).id
    assert message_of_several(told[:1]) == message_of(told[0])


def test_a_job_has_one_row_and_a_condition_one_for_each_change() -> None:
    down, up = (
        next(iter(source_conditions(health, START)))
        for health in (
            Health("azure", failing_since=START - timedelta(hours=1), error="HTTP 503"),
            Health("azure", last_success=START),
        )
    )
    message = message_of_several(
        [
            of_job(1, "queued", seq=1),
            ConditionChange(down, 1, START),
            of_job(1, "running", seq=2),
            ConditionChange(down, 2, START, START, 1),
            ConditionChange(down, 3, START, START, 2),
            ConditionChange(up, 4, START),
            of_job(1, "failed", seq=3, facts=JobFacts(error=JobError("no_quota"))),
        ]
    )
    assert message.title == "4 events: 1 failed, 1 unreachable, 1 still unreachable, 1 recovered"
    assert cells(message.table) == [
        ("job 1", "failed", "no_quota"),
        ("Source azure", "unreachable", "HTTP 503"),
        ("Source azure", "still unreachable", "HTTP 503"),
        ("Source azure", "recovered", ""),
    ]
    assert len(message.data["events"]) == 7  # type: ignore[arg-type]


def test_of_very_many_events_the_worst_have_a_row_and_all_are_counted() -> None:
    good = [of_job(number, "succeeded") for number in range(500)]
    facts = JobFacts(error=JobError(None, "out of credit " * 50), fine_tuned_model="ft:m")
    message = message_of_several([*good, of_job(501, "failed", facts=facts)])
    assert message.title == "501 jobs: 1 failed, 500 succeeded"
    assert message.facts[0].value.startswith("job 501 (out of credit out of")
    assert len(message.facts[0].value) < 200
    assert (len(message.facts), message.facts[-1].label, message.facts[-1].value) == (41, "and", "461 more")
    assert cells(message.table[-1:]) == [("and 461 more", "", "")]


def rows_now(route: Route, **changes: object) -> Mapping[str, TableRow]:
    job = job_in("running", name="tutor", status_since=START - timedelta(hours=3), labels={"team": "nlp"})
    return present_rows([job._replace(**changes)], route, STUCK_AFTER, START)  # type: ignore[arg-type]


def test_what_has_not_ended_is_shown_as_it_stands_to_whom_it_concerns() -> None:
    everyone = Route("chat")
    assert [*cells(tuple(rows_now(everyone).values()))] == [("tutor", "running", "for 3h")]
    missing = rows_now(everyone, missing=MISSING_TOLERATED + 1, last_error="HTTP 404")
    assert cells(tuple(missing.values())) == [("tutor", "missing", "HTTP 404")]
    assert cells(tuple(rows_now(everyone, missing=MISSING_TOLERATED + 1, name=None).values()))[0][2] == ""
    stuck = rows_now(everyone, status_since=START - timedelta(days=2), facts=JobFacts(page_url="https://x.example"))
    assert cells(tuple(stuck.values())) == [("tutor", "stuck", "running for 2d")]
    shown = rows_now(everyone, status="COMPRESSING", facts=JobFacts(page_url="https://x.example"))
    assert cells(tuple(shown.values())) == [("tutor", "running", "COMPRESSING for 3h")]
    assert next(iter(shown.values())).url == "https://x.example"
    assert rows_now(Route("vision", labels={"team": "vision"})) == {}
    assert rows_now(Route("others", names=("x*",))) == {}
    assert rows_now(Route("itself", events=frozenset({Events.WATCHER}))) == {}
    assert present_rows([job_in(None), job_in("succeeded")], everyone, STUCK_AFTER, START) == {}


def test_a_digest_says_what_ended_what_runs_and_what_is_stuck() -> None:
    late = job_in("running", name="late", status_since=START - timedelta(days=2))
    busy = late._replace(key=JobKey("openai", "ftjob-7"), name="busy", status_since=START - timedelta(hours=1))
    trains = training_condition(busy, Anomaly.DIVERGES)
    stuck = stuck_condition(late, START, STUCK_AFTER)
    assert stuck
    came: list[Event] = [
        of_job(2, "succeeded"),
        of_job(7, "running"),
        ConditionChange(stuck, 1, START),
        ConditionChange(trains, 1, START),
        events()["store failing"],
    ]
    present = present_rows([late, busy], Route("chat"), STUCK_AFTER, START)
    message = message_of_digest(came, present)

    assert message.type == "watcher.digest"
    assert message.title == "Digest: 3 events: 1 diverges, 1 failing, 1 succeeded; now 1 stuck, 1 running"
    assert [(row.name, row.outcome) for row in message.table] == [
        ("busy", "diverges"),
        ("Database /var/lib/watcher/watcher.db", "failing"),
        ("late", "stuck"),
        ("job 2", "succeeded"),
        ("busy", "running"),
    ]
    assert message.id != message_of_several(came).id
    assert message_of_digest(came[1:2], present).title == "Digest: now 1 stuck, 1 running"
    assert message_of_digest(came[:1], {}).title == "Digest: 1 job: 1 succeeded"
