"""Who would hear of what, and when, and why not."""

from __future__ import annotations

from datetime import time, timedelta

import pytest

from tests.doubles import START, job_in
from watcher.domain.conditions import ConditionChange, Health, notifier_condition, source_conditions
from watcher.domain.holding import Holding, QuietHours
from watcher.domain.outlook import outlook, routing_rows, supposed, wishes
from watcher.domain.routing import Events, FirstSeen, Route, RouteMatch, match_route
from watcher.domain.silences import Silence

NOW = START + timedelta(minutes=10)


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


def test_programs_get_who_wants_what_as_true_and_false() -> None:
    [row] = wishes(job_in("running"), [Route("ends", statuses=frozenset({"succeeded"}))], NOW)

    assert (row["notifier"], row["wants"]["succeeded"], row["wants"]["failed"]) == ("ends", True, False)
    assert (row["why_not"]["failed"], "succeeded" in row["why_not"]) == ("other_status", False)


@pytest.mark.parametrize("word", ["failed", "running", "missing", "stuck", "COMPRESSING"])
def test_each_notifier_is_shown_with_when_it_would_hear_and_why_not(word: str) -> None:
    job = job_in("queued")._replace(name="support-bot", labels={"team": "nlp"})
    routes = [
        Route("all", sources=("open*",), names=("support-*", "x")),
        Route("night", holding=Holding(quiet=QuietHours(time(11), time(13)))),
        Route("azure", sources=("azure-*",)),
        Route("others", names=("other-*",)),
    ]
    rows = outlook(supposed(job, word, NOW), routes, [], NOW)

    assert [(row["notifier"], row["hears"], row["when"], row["why"]) for row in rows] == [
        ("all", "yes", "now", None),
        ("night", "yes", "in 50m", "quiet hours"),
        ("azure", "no", None, "other sources"),
        ("others", "no", None, "other names"),
    ]
    assert [row["at"] for row in rows[:2]] == ["2026-11-24T12:10:00+00:00", "2026-11-24T13:00:00+00:00"]


def test_what_is_silenced_is_heard_by_none_and_says_by_what() -> None:
    silence = Silence("3", NOW + timedelta(hours=1), source="openai", reason="new rack")
    (row,) = outlook(supposed(job_in("queued"), "failed", NOW), [Route("all")], [silence], NOW)

    assert (row["hears"], row["why"]) == ("no", "silence 3: new rack")


def test_what_is_said_of_a_source_has_no_name_and_of_a_notifier_no_source() -> None:
    route = Route("chat", labels={"team": "nlp"}, sources=("openai",), names=("support-*",))
    sources = [
        ConditionChange(each, 1, NOW)
        for name in ("openai", "azure")
        for each in source_conditions(Health(name, rejection="HTTP 401"), NOW)
    ]
    condition = notifier_condition(Health("pager", rejection="HTTP 410"), NOW)
    assert condition is not None

    found = [match_route(route, each) for each in [*sources, ConditionChange(condition, 1, NOW)]]
    assert found == [RouteMatch.WANTED, RouteMatch.OTHER_SOURCES, RouteMatch.WANTED]


def test_a_job_without_a_name_is_known_by_its_id() -> None:
    route = Route("chat", names=("ftjob-*",))

    assert [match_route(route, supposed(job_in("queued"), word, NOW)) for word in ("failed", "missing")] == [
        RouteMatch.WANTED,
        RouteMatch.WANTED,
    ]


def test_who_is_told_late_is_shown_when_and_on_what_condition() -> None:
    night = Holding(quiet=QuietHours(time(13), time(14)))
    routes = [Route("boss", after=timedelta(minutes=20)), Route("night", after=timedelta(hours=1), holding=night)]
    stuck, failed = (outlook(supposed(job_in("running"), word, NOW), routes, [], NOW) for word in ("stuck", "failed"))

    assert [(row["when"], row["why"]) for row in stuck] == [
        ("in 20m", "only if it lasts for 20m"),
        ("in 1h 50m", "only if it lasts for 1h · quiet hours"),
    ]
    assert [(row["when"], row["why"]) for row in failed] == [("now", None), ("now", None)]
