"""What is shown of jobs and deliveries."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.doubles import START, a_transition, job_in, observation
from watcher.domain.deliveries import Delivery, DeliveryState
from watcher.domain.jobs import Job
from watcher.domain.overview import (
    ORPHANED,
    UNSEEN,
    delivery_row,
    explain_next_poll,
    history_rows,
    job_row,
    routing_rows,
    status_line,
)
from watcher.domain.polling_policy import PollingPolicy
from watcher.domain.routing import Events, FirstSeen, Route
from watcher.domain.transitions import Transition, detect, moved

NOW = START + timedelta(minutes=10)
INTERVAL = timedelta(seconds=30)
RHYTHM = PollingPolicy(INTERVAL, timedelta(minutes=5))


def test_a_job_is_shown_as_it_stands() -> None:
    job = replace(
        job_in("running", status_since=START, due_at=NOW + timedelta(seconds=12), last_error="HTTP 503"),
        name="support-bot",
        labels={"team": "nlp"},
    )

    assert job_row(job, NOW) == {
        "source": "openai",
        "id": "ftjob-1",
        "name": "support-bot",
        "labels": {"team": "nlp"},
        "status": "running",
        "for": "10m",
        "next_poll": "in 12s",
        "trouble": "HTTP 503",
    }


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

    assert [row["lasted"] for row in history_rows(history, NOW)] == ["2m", "5m", None]
    assert [row["lasted"] for row in history_rows(history[:2], NOW)] == ["2m", "8m"]
    assert history_rows([], NOW) == []


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
    assert words in explain_next_poll(job, RHYTHM, NOW)


def test_who_would_hear_of_what_and_why_not() -> None:
    routes = [
        Route("all"),
        Route("ends", statuses=frozenset({"succeeded", "failed"})),
        Route("vision", labels={"team": "vision"}),
        Route("watcher", events=frozenset({Events.WATCHER})),
        Route("no-first", first_seen=FirstSeen.NEVER),
    ]
    seen = {row["notifier"]: row for row in routing_rows(job_in("running"), routes, NOW)}
    unseen = {row["notifier"]: row for row in routing_rows(job_in(None), routes, NOW)}

    assert set(seen["all"].values()) == {"all", "yes"}
    assert (seen["ends"]["running"], seen["ends"]["failed"]) == ("no: other statuses", "yes")
    assert seen["vision"]["failed"] == "no: other labels"
    assert seen["watcher"]["failed"] == "no: other events"
    assert (unseen["all"]["running"], unseen["all"]["failed"]) == ("no: a first sight", "yes")
    assert unseen["no-first"]["failed"] == "no: a first sight"


def test_a_delivery_is_shown_as_it_stands() -> None:
    transition = a_transition()
    pending = Delivery(7, "chat", transition, DeliveryState.PENDING, 2, NOW + timedelta(minutes=2), NOW)
    row = delivery_row(pending, NOW, ["chat"])

    assert (row["id"], row["state"], row["attempts"], row["next_attempt"]) == (7, "pending", 2, "in 2m")
    assert delivery_row(pending, NOW, ["pager"])["next_attempt"] == ORPHANED
    assert delivery_row(replace(pending, state=DeliveryState.DEAD), NOW, [])["next_attempt"] is None


def test_a_line_says_how_the_watcher_stands() -> None:
    answers = {"azure": None, "openai": NOW - timedelta(seconds=3)}

    assert status_line(12, 3, answers, NOW) == "12 jobs watched, 3 deliveries pending, last answer 3s ago"
    assert status_line(0, 0, {"openai": None}, NOW) == "0 jobs watched, 0 deliveries pending, no answer yet"
