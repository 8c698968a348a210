"""What the watcher says of itself."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from tests.doubles import START, a_transition, job_in
from watcher.domain.conditions import (
    STUCK_AFTER,
    Condition,
    ConditionChange,
    Health,
    RecordedCondition,
    found_condition,
    is_news,
    may_be_stuck,
    missing_condition,
    notifier_condition,
    source_conditions,
    store_condition,
    stuck_condition,
    unstuck_condition,
)
from watcher.domain.jobs import Job
from watcher.domain.messages import Severity, line_of, message_of
from watcher.domain.routing import Events, Route, RouteMatch, match_route
from watcher.domain.transitions import event_id

NOW = START
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def types(health: Health) -> list[str]:
    return [condition.type for condition in source_conditions(health, NOW)]


@pytest.mark.parametrize(
    ("health", "expected"),
    [
        (Health("openai"), []),
        (Health("openai", failing_since=NOW - 4 * MINUTE, error="HTTP 503"), []),
        (Health("openai", failing_since=NOW - 5 * MINUTE, error="HTTP 503"), ["watcher.source.unreachable"]),
        (Health("openai", last_success=NOW), ["watcher.source.recovered", "watcher.source.accepted"]),
        (Health("openai", rejection="HTTP 401"), ["watcher.source.rejected"]),
        (
            Health("openai", last_success=NOW, rejection="HTTP 401"),
            ["watcher.source.recovered", "watcher.source.rejected"],
        ),
    ],
)
def test_a_source_is_judged_by_evidence(health: Health, expected: list[str]) -> None:
    assert types(health) == expected


@pytest.mark.parametrize(("name", "told"), [("support-bot", True), (None, False)])
def test_the_id_of_a_job_is_told_once(name: str | None, *, told: bool) -> None:
    missing = missing_condition(job_in("running", name=name), NOW)
    assert (job_in("running").key.id in missing.title, "Job" in dict(missing.facts)) == (not told, told)


def test_a_failure_without_words_is_no_good_news() -> None:
    (unreachable,) = source_conditions(Health("openai", failing_since=NOW - 5 * MINUTE), NOW)
    assert not unreachable.is_good


@pytest.mark.parametrize(
    ("health", "expected"),
    [
        (Health("chat"), None),
        (Health("chat", failing_since=NOW - 4 * MINUTE, error="HTTP 500"), None),
        (Health("chat", failing_since=NOW - 5 * MINUTE, error="HTTP 500"), "watcher.notifier.failing"),
        (Health("chat", failing_since=NOW, rejection="HTTP 410"), "watcher.notifier.failing"),
        (Health("chat", last_success=NOW), "watcher.notifier.recovered"),
        (Health("chat", last_success=NOW - MINUTE, failing_since=NOW), None),
    ],
)
def test_a_notifier_is_judged_by_evidence(health: Health, expected: str | None) -> None:
    condition = notifier_condition(health, NOW)

    assert (condition.type if condition else None) == expected


def test_a_job_is_stuck_after_its_limit_and_again_each_day() -> None:
    job = job_in("running", status_since=NOW - timedelta(hours=25), name="support-bot", labels={"team": "nlp"})
    told = [stuck_condition(job, NOW + timedelta(hours=hours), STUCK_AFTER) for hours in (0, 22, 23, 46, 47)]

    assert [condition.state.rpartition(" ")[2] for condition in told if condition] == ["1", "1", "2", "2", "3"]
    assert told[0] is not None
    assert told[0].title == "support-bot has been running for 1d 1h"
    assert told[2] is not None
    assert told[2].title == "support-bot has been running for 2d"
    assert told[0].labels == {"team": "nlp"}


@pytest.mark.parametrize(
    "job", [job_in("running", status_since=NOW), job_in("paused", status_since=START), job_in(None)]
)
def test_a_job_within_its_limit_or_without_one_is_not_stuck(job: Job) -> None:
    assert stuck_condition(job, NOW + timedelta(hours=23), STUCK_AFTER) is None


def test_each_time_a_job_gets_stuck_is_news() -> None:
    job = job_in("queued", status_since=NOW - timedelta(hours=7))
    first = stuck_condition(job, NOW, STUCK_AFTER)
    again = stuck_condition(job._replace(status_since=NOW), NOW + timedelta(hours=7), STUCK_AFTER)

    assert first is not None
    assert again is not None
    assert is_news(again, RecordedCondition(first.state, 1), "w1", NOW)


def test_that_all_is_well_is_no_news_to_begin_with() -> None:
    well = source_conditions(Health("openai", last_success=NOW), NOW)[0]

    assert not is_news(well, None, "w1", NOW)
    assert not is_news(well, RecordedCondition(None), "w1", NOW)
    assert is_news(well, RecordedCondition("unreachable", 1), "w1", NOW)
    assert not is_news(well, RecordedCondition("recovered", 1), "w1", NOW)


@pytest.mark.parametrize(
    ("by", "ago", "is_told"),
    [
        pytest.param("w2", timedelta(minutes=1), False, id="another replica has just found it well"),
        pytest.param("w2", timedelta(minutes=3), True, id="that was too long ago"),
        pytest.param("w2", -timedelta(minutes=1), True, id="its clock was ahead"),
        pytest.param("w1", timedelta(minutes=1), True, id="it was this watcher itself"),
    ],
)
def test_what_one_replica_finds_failing_is_no_news_while_another_finds_it_well(
    by: str, ago: timedelta, is_told: bool
) -> None:
    failing = source_conditions(Health("openai", rejection="HTTP 401"), NOW)[0]

    assert is_news(failing, RecordedCondition("accepted", 1, NOW - ago, by), "w1", NOW) is is_told


def told(condition: Condition) -> ConditionChange:
    return ConditionChange(condition, 1, NOW)


def test_a_condition_becomes_a_message_like_any_other() -> None:
    rejected = source_conditions(Health("openai", rejection="HTTP 401: bad\nkey"), NOW)[0]
    message = message_of(told(rejected))

    assert message.type == "watcher.source.rejected"
    assert "source: openai" in line_of(message)
    assert "source:" not in line_of(message_of(told(store_condition("x.db", "full"))))
    assert message.id == event_id("@watcher", "source/openai/acceptance", 1)
    assert (message.title, message.severity) == ("Source openai rejects the watcher", Severity.BAD)
    assert json.loads(json.dumps(message.data)) == {"source": "openai", "error": "HTTP 401: bad\nkey"}
    assert "\n" not in line_of(message)


def test_missing_jobs_and_a_failing_record_are_told() -> None:
    missing = missing_condition(job_in(None, last_error="HTTP 404"), NOW)
    store = store_condition("/var/lib/watcher/watcher.db", "the disk is full")

    assert (missing.type, missing.title) == ("watcher.job.missing", "ftjob-1 is unknown to its source")
    assert (store.type, store.is_good) == ("watcher.store.failing", False)
    assert (missing.subject, store.subject) == ("job/openai/ftjob-1/missing", "store")
    assert (missing.is_about_job, store.is_about_job) == (True, False)
    assert (missing.thread, store.thread) == (missing.subject.removeprefix("job/").removesuffix("/missing"), "store")


def test_a_failing_notifier_is_told_to_the_others() -> None:
    failing = notifier_condition(Health("chat", failing_since=NOW, rejection="HTTP 410"), NOW)
    assert failing is not None

    assert match_route(Route("chat"), told(failing)) is RouteMatch.ITS_OWN_FAILURE
    assert match_route(Route("pager"), told(failing)) is RouteMatch.WANTED
    assert (
        match_route(Route("pager", labels={"team": "nlp"}, statuses=frozenset({"failed"})), told(failing))
        is RouteMatch.WANTED
    )


def test_a_notifier_hears_only_of_what_it_asked_for() -> None:
    rejected = told(source_conditions(Health("openai", rejection="HTTP 401"), NOW)[0])
    running = a_transition(previous_status="queued", status="running")

    assert match_route(Route("n", events=frozenset({Events.JOBS})), rejected) is RouteMatch.OTHER_EVENTS
    assert match_route(Route("n", events=frozenset({Events.WATCHER})), running) is RouteMatch.OTHER_EVENTS


def test_what_is_said_of_a_job_goes_where_its_transitions_go() -> None:
    missing = told(missing_condition(job_in(None, labels={"team": "nlp"}), NOW))

    assert match_route(Route("n", labels={"team": "nlp"}), missing) is RouteMatch.WANTED
    assert match_route(Route("n", labels={"team": "vision"}), missing) is RouteMatch.OTHER_LABELS
    unlabelled = told(missing_condition(job_in(None), NOW))
    assert match_route(Route("n", labels={"team": "vision"}), unlabelled) is RouteMatch.OTHER_LABELS


@pytest.mark.parametrize(
    ("status", "severity"),
    [("running", Severity.GOOD), ("succeeded", Severity.GOOD), ("failed", Severity.CANCELLED)],
)
def test_a_trouble_that_is_over_says_how_the_job_stands_now(status: str, severity: Severity) -> None:
    before = job_in("queued", name="bot", status_since=NOW - 7 * HOUR, is_since_exact=True)
    message = message_of(ConditionChange(unstuck_condition(job_in(status, name="bot"), before, NOW), 1, NOW))

    assert (message.title, message.severity) == (f"bot is no longer stuck: {status}", severity)
    assert ("Was", "queued for 7h") in [(fact.label, fact.value) for fact in message.facts]
    assert (message.type, message.data["state"]) == ("watcher.job.unstuck", status)


def test_a_job_that_was_never_seen_may_be_found() -> None:
    condition = found_condition(job_in(None, name="bot"))
    assert condition.title == "bot is known to its source again: not seen yet"
    assert (condition.type, condition.is_good) == ("watcher.job.found", True)


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        pytest.param(None, False, id="never seen"),
        pytest.param(NOW - 4 * MINUTE, False, id="too young"),
        pytest.param(NOW - 5 * MINUTE, True, id="old enough"),
        pytest.param(NOW + HOUR, True, id="the clock was set back"),
    ],
)
def test_only_a_job_that_has_been_in_its_status_for_long_may_be_stuck(since: datetime | None, expected: bool) -> None:
    assert may_be_stuck(job_in("running", status_since=since), 5 * MINUTE, NOW) == expected
