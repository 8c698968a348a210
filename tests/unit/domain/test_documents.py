"""What of a job object may be told to others."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.doubles import job_in, observation
from watcher.domain.documents import read_document, shared_document
from watcher.domain.jobs import JobError, JobFacts
from watcher.domain.transitions import detect

DOCUMENT = json.dumps(
    {"id": "1", "createdBy": "user@example.com", "runs": [{"createdBy": 5, "kept": "createdBy"}, 7], "kept": None}
)


def test_private_fields_are_left_out_however_deep_they_stand() -> None:
    shared = json.loads(shared_document(DOCUMENT, {"createdBy", "elsewhere"}))
    assert shared == {"id": "1", "runs": [{"kept": "createdBy"}, 7], "kept": None}


def test_a_name_is_the_same_however_it_is_spelt() -> None:
    assert shared_document('{"created\\u0042y": 1, "a": 2}', {"createdBy"}) == '{"a": 2}'


def test_without_private_fields_the_text_stays_as_it_is() -> None:
    assert shared_document('{ "a":1e999 }', ()) == '{ "a":1e999 }'


def test_what_is_no_json_becomes_null() -> None:
    document = f'{{"a": NaN, "b": -Infinity, "c": 1e999, "d": {"9" * 5000}, "e": 1.5, "f": 12}}'
    assert read_document(document) == {"a": None, "b": None, "c": None, "d": None, "e": 1.5, "f": 12}
    assert shared_document(document, {"b", "d"}) == '{"a": null, "c": null, "e": 1.5, "f": 12}'


def test_a_transition_holds_no_private_field() -> None:
    seen = replace(observation("running"), document=DOCUMENT, private_fields={"createdBy"})
    transition = detect(job_in(None), seen)
    assert transition is not None
    assert "user@example.com" not in transition.document
    assert seen.document == DOCUMENT


@pytest.mark.parametrize(
    ("document", "shared"),
    [
        ('{"a": ["by user@mail.example"], "b": 1}', '{"a": ["by ***"], "b": 1}'),
        ('{"a": "by user\\u0040mail.example"}', '{"a": "by ***"}'),
        ('{"a": "https://h.example/x?sig=1"}', '{"a": "https://h.example/x?***"}'),
        ('{ "a": "m@1", "b": "Why?" }', '{ "a": "m@1", "b": "Why?" }'),
    ],
)
def test_addresses_are_left_out_wherever_they_stand(document: str, shared: str) -> None:
    assert shared_document(document) == shared
    assert shared_document(document, shows_addresses=True) == document


def test_the_reason_of_a_failure_is_told_without_addresses() -> None:
    told = JobFacts(error=JobError("bad", "no access for user@mail.example")).shared()
    assert told.error == JobError("bad", "no access for ***")
    for facts in (JobFacts(), JobFacts(error=JobError("bad"))):
        assert facts.shared() is facts
