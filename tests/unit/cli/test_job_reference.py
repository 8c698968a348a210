"""Jobs as people name them on the command line."""

from __future__ import annotations

import pytest

from watcher.cli.job_reference import JobReference, parse_reference


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("ftjob-1", JobReference(None, "ftjob-1")),
        ("azure/ftjob-1", JobReference("azure", "ftjob-1")),
        ("https://platform.example.com/finetune/ftjob-Ab1?filter=all", JobReference(None, "ftjob-Ab1")),
        ("https://example.com/finetune?job=ftjob-Ab1#top", JobReference(None, "ftjob-Ab1")),
        ("https://example.com/jobs/ft-0a1b-2c/", JobReference(None, "ft-0a1b-2c")),
    ],
)
def test_an_id_is_taken_as_it_stands_or_out_of_an_address(text: str, reference: JobReference) -> None:
    assert parse_reference(text) == reference


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://example.com/finetune", "give the id alone"),
        ("https://example.com/ftjob-1/compare/ftjob-2", "give the id alone"),
        ("a b", "expected ID or SOURCE/ID"),
        ("..", "expected ID or SOURCE/ID"),
    ],
)
def test_anything_else_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_reference(text)
