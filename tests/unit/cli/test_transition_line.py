"""A transition in a line: what matters now, within the width."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.doubles import START, a_transition
from watcher.cli.text_width import width_of
from watcher.cli.transition_line import transition_line
from watcher.domain.jobs import JobError, JobFacts
from watcher.domain.states import JobState
from watcher.domain.transitions import Reason, Transition

WHEN = f"{START.astimezone():%H:%M:%S}"
MODEL = "ft:gpt-4.1-mini-2025-04-14:an-organization:support-bot:AbCd1234"
LONG_ERROR = "The job failed due to an unsafe training file. " * 4


def ended(state: JobState, facts: JobFacts, name: str | None = "support-bot") -> Transition:
    given = replace(a_transition(), name=name, previous_status="running", reason=Reason.ADVANCED)
    return replace(given, status=state.value, state=state, facts=facts)


def line_of(transition: Transition, width: int) -> str:
    return transition_line(transition, transition.title, width)


def test_success_brings_the_name_of_the_model() -> None:
    line = line_of(ended(JobState.SUCCEEDED, JobFacts(fine_tuned_model="ft:m:x")), 80)
    assert line == f"{WHEN} ✔ support-bot: running → succeeded  ft:m:x"


def test_failure_brings_the_reason() -> None:
    line = line_of(ended(JobState.FAILED, JobFacts(error=JobError("bad", "no such file"))), 80)
    assert line == f"{WHEN} ✘ support-bot: running → failed  no such file"


def test_a_first_sight_and_a_return_say_so() -> None:
    first = replace(
        a_transition(previous_status=None, status="queued"), name="bot", facts=JobFacts(fine_tuned_model=None)
    )
    again = replace(first, previous_status="failed", reason=Reason.REOPENED)
    assert line_of(first, 80) == f"{WHEN} • bot: first seen, queued"
    assert line_of(again, 80) == f"{WHEN} • bot: failed → queued (reopened)"


@pytest.mark.parametrize("width", [80, 60, 40])
@pytest.mark.parametrize(
    "facts",
    [JobFacts(error=JobError("bad", LONG_ERROR)), JobFacts(error=JobError(message="短い" * 60))],
    ids=["words", "wide"],
)
def test_what_does_not_fit_goes_on_in_another_line(facts: JobFacts, width: int) -> None:
    lines = line_of(ended(JobState.FAILED, facts, name=None), width).splitlines()
    if facts.error and facts.error.code:
        assert max(map(width_of, lines)) <= width
    assert len(lines) > 1


@pytest.mark.parametrize("width", [80, 40])
def test_a_model_is_never_broken(width: int) -> None:
    lines = line_of(ended(JobState.SUCCEEDED, JobFacts(fine_tuned_model=MODEL)), width).splitlines()
    assert lines[-1] == f"  {MODEL}"


def test_text_of_an_api_drives_no_terminal() -> None:
    line = line_of(ended(JobState.FAILED, JobFacts(error=JobError(message="a\nb\x1b[2J"))), 80)
    assert line.endswith(r"a\nb\x1b[2J")
