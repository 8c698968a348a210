"""What templates may say: the same names for every kind of event."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.doubles import START, a_transition
from tests.every_event import FULL, events
from watcher.domain.conditions import ConditionChange, store_condition
from watcher.domain.jobs import JobFacts
from watcher.domain.messages import message_of
from watcher.domain.samples import kinds, sample
from watcher.domain.states import JobState
from watcher.domain.template_values import values_of
from watcher.templates import Template


def test_every_kind_of_event_has_the_same_names() -> None:
    found = [values_of(event) for event in events().values()]
    parts: list[list[Any]] = [list(found), *([values[part] for values in found] for part in ("job", "error"))]
    assert [len(set(map(frozenset, part))) for part in parts] == [1, 1, 1]
    assert all(values["job"]["name"] for values in found)  # type: ignore[index]


def test_what_is_known_of_a_job_is_told() -> None:
    values = values_of(a_transition(status="failed", facts=FULL))
    assert (values["state"], values["kind"], values["duration"]) == ("failed", "failed", "3h")
    assert values["error"] == {"code": "invalid_file", "message": "The file is empty.", "param": "training_file"}
    assert values_of(a_transition(facts=JobFacts()))["duration"] is None


def test_a_label_or_a_metric_that_a_job_does_not_have_is_nothing() -> None:
    template = Template("{{ job.labels.team }} {{ labels.nope }}{{ metrics.train_loss }}.")
    assert template.render(values_of(a_transition())) == "nlp ."


def test_a_job_that_runs_has_taken_the_time_until_now() -> None:
    running = a_transition(
        status="running", state=JobState.RUNNING, facts=JobFacts(created_at=START - timedelta(minutes=5))
    )
    assert values_of(running)["duration"] == "5m"


def test_a_condition_has_the_name_of_what_it_is_about() -> None:
    values = values_of(ConditionChange(store_condition("/var/lib/watcher.db", "full"), 1, START))
    assert (values["state"], values["kind"]) == ("failing", "failing")
    assert values["job"]["name"] == "/var/lib/watcher.db"  # type: ignore[index]


def test_a_reminder_says_how_long_it_lasts_and_how_often_it_was_told_again() -> None:
    template = Template("{{ job.name }} {{ kind }}{% if reminder %} for {{ duration }}, {{ reminder }}{% endif %}")
    assert template.render(values_of(events()["named job stuck, still"])) == "support-bot stuck for 4h, 1"
    assert template.render(values_of(events()["named job stuck"])) == "support-bot stuck"


def test_only_a_message_of_several_events_has_none() -> None:
    assert [kind for kind in kinds() if sample(kind, START).values is None] == ["several", "digest"]
    assert message_of(a_transition()).values
