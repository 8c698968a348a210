"""Ids, keys and statuses."""

from __future__ import annotations

import pytest

from tests.doubles import KEY
from watcher.domain.jobs import Job, JobKey, JobSpec, completed, is_job_id, is_plain, split_reference
from watcher.domain.states import JobState, is_terminal

ARN = "arn:aws:bedrock:us-east-1:123456789012:model-customization-job/amazon.nova-lite-v1:0:300k/abc123def456"


@pytest.mark.parametrize(
    "job_id",
    [
        *("ftjob-abc123", "ft-AF1WoRqd3aJAHsqc9NY7iL8F", "a", "A.b:c_d-9", "...", "a..b", "v1./x", "x" * 1024),
        *(ARN, "projects/p/locations/us-central1/tuningJobs/123", "name+of.job", "bW9kZWw7am9iPTE+/w==", "a?b#c%2e"),
    ],
)
def test_ids_of_real_services_are_ids(job_id: str) -> None:
    assert is_job_id(job_id)


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "..", "x" * 1025, "a b", "a\n", "ä", "a\x00", "\x7f", "\u202e"),
        *("../a", "a/..", "a/../b", "a/./b", "./a", "a\\..\\b", "a/..\\b", "a\n/.."),
    ],
)
def test_nothing_that_could_change_a_path_or_drive_a_terminal_is_an_id(text: str) -> None:
    assert not is_job_id(text)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("ftjob-1", (None, "ftjob-1")),
        ("openai/ftjob-1", ("openai", "ftjob-1")),
        ("vertex/projects/p/tuningJobs/1", ("vertex", "projects/p/tuningJobs/1")),
        (ARN, (None, ARN)),
        (f"aws/{ARN}", ("aws", ARN)),
    ],
)
def test_a_reference_splits_at_its_first_slash(text: str, reference: tuple[str | None, str]) -> None:
    """What cannot name a source is part of the id."""
    assert split_reference(text) == reference


@pytest.mark.parametrize("text", ["", "openai/", "openai/..", "openai/a b", "a\n"])
def test_a_reference_without_an_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ID or SOURCE/ID"):
        split_reference(text)


@pytest.mark.parametrize("key", [JobKey("a", "b/c"), JobKey("a-b", "c"), JobKey("a", "B"), JobKey("a", "/")])
def test_what_shows_a_job_leads_back_to_it(key: JobKey) -> None:
    assert split_reference(str(key)) == (key.source, key.id)


@pytest.mark.parametrize("state", [*JobState, None])
def test_only_the_three_endings_are_terminal(state: JobState | None) -> None:
    assert is_terminal(state) is (state in {"succeeded", "failed", "cancelled"})


def test_a_job_is_called_by_its_name_else_by_its_id() -> None:
    assert Job(KEY, name="support-bot").title == "support-bot"
    assert Job(KEY).title == "ftjob-1"
    assert str(KEY) == "openai/ftjob-1"


@pytest.mark.parametrize("text", ["support-bot v3", "x" * 200, "機械学習", "a=b", "\u0645\u06cc\u200c\u062f"])
def test_names_and_labels_are_plain_text(text: str) -> None:
    assert is_plain(text)


@pytest.mark.parametrize("text", ["", "x" * 201, "a\nb", "\x1b[31m", "\u202e", "\u2067", "\u200b", "\udcff"])
def test_what_could_drive_a_terminal_or_fill_a_message_is_no_name(text: str) -> None:
    assert not is_plain(text)


def test_what_a_wish_does_not_give_stays_as_it_is() -> None:
    known = Job(KEY, name="support-bot", labels={"team": "nlp", "tier": "1"})

    assert completed(JobSpec(KEY), known) == JobSpec(KEY, "support-bot", {"team": "nlp", "tier": "1"})
    assert completed(JobSpec(KEY, "bot", {"tier": "2"}), known) == JobSpec(KEY, "bot", {"team": "nlp", "tier": "2"})
    assert completed(JobSpec(KEY, "bot"), None) == JobSpec(KEY, "bot")
