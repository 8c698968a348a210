"""What is shown of jobs and deliveries."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.doubles import START, a_transition, job_in, observation
from watcher.domain.conditions import ConditionChange, Health, source_conditions
from watcher.domain.deliveries import Delivery, DeliveryState
from watcher.domain.jobs import Job, JobError, JobFacts
from watcher.domain.overview import (
    ORPHANED,
    UNSEEN,
    delivery_row,
    explain_next_poll,
    fact_row,
    history_rows,
    job_row,
    result_of,
    status_line,
)
from watcher.domain.polling_policy import PollingPolicy
from watcher.domain.transitions import Reason, Transition, detect, moved

NOW = START + timedelta(minutes=10)
INTERVAL = timedelta(seconds=30)
POLICY = PollingPolicy(INTERVAL, timedelta(minutes=5))


def test_a_job_is_shown_as_it_stands() -> None:
    job = job_in("running", status_since=START, due_at=NOW + timedelta(seconds=12), last_error="HTTP 503")._replace(
        name="support-bot",
        labels={"team": "nlp"},
    )

    assert job_row(job, NOW) == {
        "source": "openai",
        "id": "ftjob-1",
        "name": "support-bot",
        "title": "support-bot",
        "labels": {"team": "nlp"},
        "status": "running",
        "state": "running",
        "for": "10m",
        "for_seconds": 600.0,
        "status_since": "2026-11-24T12:00:00+00:00",
        "is_since_exact": True,
        "next_poll": "in 12s",
        "next_poll_at": "2026-11-24T12:10:12+00:00",
        "trouble": "HTTP 503",
        "model": None,
        "fine_tuned_model": None,
        "error": None,
    }


def test_a_job_is_shown_with_what_its_last_answer_said() -> None:
    facts = JobFacts(model="gpt-4o-mini", fine_tuned_model="ft:gpt-4o-mini:x", error=JobError("bad", "no", None))
    row = job_row(job_in("failed", facts=facts), NOW)

    assert (row["model"], row["fine_tuned_model"]) == ("gpt-4o-mini", "ft:gpt-4o-mini:x")
    assert row["error"] == {"code": "bad", "message": "no", "param": None}
    assert job_row(job_in("failed"), NOW)["model"] is None


@pytest.mark.parametrize(
    ("facts", "result"),
    [
        (JobFacts(fine_tuned_model="ft:m"), "ft:m"),
        (JobFacts(error=JobError("bad", "no such file")), "no such file"),
        (JobFacts(error=JobError("bad")), "bad"),
        (JobFacts(model="m"), None),
    ],
    ids=["model", "message", "code", "neither"],
)
def test_what_came_of_a_job_is_its_model_or_its_error(facts: JobFacts, result: str | None) -> None:
    assert result_of(fact_row(facts)) == result


def test_a_job_that_was_not_seen_yet_says_so() -> None:
    row = job_row(job_in(None, due_at=START, missing=4, last_error="HTTP 404"), NOW)

    assert (row["status"], row["for"], row["next_poll"]) == (UNSEEN, None, "now")
    assert job_row(job_in("succeeded"), NOW)["next_poll"] is None
    assert row["trouble"] == "unknown to the source: HTTP 404"


def test_a_history_tells_how_long_each_status_lasted() -> None:
    job, history = job_in(None), list[Transition]()
    for minutes, status in ((0, "queued"), (2, "running"), (7, "succeeded")):
        found = detect(job, observation(status, START + timedelta(minutes=minutes)))
        assert found is not None
        history.append(found)
        job = moved(job, found)

    history.reverse()
    rows = history_rows(history, NOW)
    assert [row["lasted"] for row in rows] == [None, "5m", "at least 2m"]
    assert [row["lasted_seconds"] for row in rows] == [None, 300.0, 120.0]
    assert [row["fine_tuned_model"] for row in rows] == [None, None, None]
    assert [row["lasted"] for row in history_rows(history[1:], NOW)] == ["8m", "at least 2m"]
    assert history_rows(history[1:], NOW, history[0]) == rows[1:]
    assert history_rows([], NOW) == []


def test_durations_whose_beginning_is_not_known_say_so() -> None:
    first = a_transition(status="running", previous_status=None, reason=Reason.FIRST_SEEN, previous_since=None)
    row = job_row(moved(job_in(None), first), NOW)
    [of_history] = history_rows([first], NOW)

    assert (row["for"], row["for_seconds"], row["is_since_exact"]) == ("at least 10m", 600.0, False)
    assert (of_history["lasted"], of_history["lasted_seconds"], of_history["is_lasted_exact"]) == (
        "at least 10m",
        600.0,
        False,
    )


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (job_in("succeeded"), "never: it has ended"),
        (job_in("running"), "never: it is not watched"),
        (job_in("running", due_at=NOW + timedelta(seconds=5)), "in 5s: every 30s"),
        (job_in("running", due_at=NOW, failures=3), "now: 3 polls in a row have failed"),
        (job_in(None, due_at=NOW, missing=2, failures=2), "does not know it yet"),
        (job_in(None, due_at=NOW, missing=4, failures=4), "asked for seldom"),
    ],
)
def test_the_next_poll_has_its_reason(job: Job, words: str) -> None:
    assert words in explain_next_poll(job, POLICY, NOW)


def test_a_delivery_is_shown_as_it_stands() -> None:
    transition = a_transition()
    pending = Delivery(7, "chat", transition, DeliveryState.PENDING, 2, NOW + timedelta(minutes=2), NOW)
    row = delivery_row(pending, NOW, ["chat"])

    assert (row["id"], row["state"], row["attempts"], row["next_attempt"]) == (7, "pending", 2, "in 2m")
    assert (row["next_attempt_at"], row["settled_at"]) == ("2026-11-24T12:12:00+00:00", None)
    assert delivery_row(pending, NOW, ["pager"])["next_attempt"] == ORPHANED
    assert delivery_row(replace(pending, state=DeliveryState.DEAD), NOW, [])["next_attempt"] is None


def test_the_delivery_of_a_condition_names_its_subject() -> None:
    [condition] = source_conditions(Health("openai", rejection="HTTP 401"), NOW)
    event = ConditionChange(condition, 1, NOW)
    row = delivery_row(Delivery(7, "chat", event, DeliveryState.PENDING, 0, NOW, NOW), NOW, ["chat"])

    assert (row["source"], row["job"], row["status"]) == (None, event.subject, "watcher.source.rejected")


def test_a_line_says_how_the_watcher_stands() -> None:
    answers = {"azure": None, "openai": NOW - timedelta(seconds=3)}

    assert status_line(12, 3, answers, NOW) == "12 jobs watched, 3 deliveries pending, last answer 3s ago"
    assert status_line(0, 0, {"openai": None}, NOW) == "0 jobs watched, 0 deliveries pending, no answer yet"
    assert status_line(1, 1, {"openai": None}, NOW) == "1 job watched, 1 delivery pending, no answer yet"
