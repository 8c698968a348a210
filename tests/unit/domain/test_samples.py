"""Samples of events: one of every kind, and none that could be taken for news."""

from __future__ import annotations

import pytest

from tests.doubles import START
from tests.every_event import events
from watcher.domain.messages import Severity, line_of
from watcher.domain.samples import kinds, sample, words_of_conditions
from watcher.domain.states import JobState


@pytest.mark.parametrize("kind", kinds())
def test_every_sample_says_that_it_is_one(kind: str) -> None:
    message = sample(kind, START)
    assert message.title.startswith("Sample: ")
    assert message.data["sample"] is True
    assert message.facts
    assert "Sample: " in line_of(message)


def test_there_is_a_sample_of_every_type_of_event() -> None:
    told = {sample(kind, START).type for kind in kinds()}
    assert {event.type for event in events().values()} - told <= {"fine_tuning.job.COMPRESSING"}
    assert set(map(str, JobState)) <= set(kinds())


def test_what_failed_and_its_good_end_are_of_one_thread() -> None:
    failed, stuck, ended = (sample(kind, START) for kind in ("failed", "stuck", "succeeded"))
    assert failed.thread == stuck.thread == ended.thread == "sample/ftjob-sample"
    assert (failed.severity, ended.severity) == (Severity.BAD, Severity.GOOD)
    assert failed.id != sample("failed", START.replace(minute=1)).id


def test_what_quiet_hours_may_except_besides_statuses_is_known() -> None:
    assert {"stuck", "missing", "unstuck", "unreachable"} <= words_of_conditions()


def test_a_kind_that_there_is_not_is_an_error() -> None:
    with pytest.raises(KeyError):
        sample("fialed", START)
