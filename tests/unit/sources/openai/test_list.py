"""A page of the list is read leanly: what is unusable in it is left out, and nothing makes a walk endless."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doubles import statuses_on
from watcher.domain.jobs import ListedJob, Page, is_job_id
from watcher.errors import MalformedResponseError
from watcher.sources.openai.dialect import PAGE_SIZE
from watcher.sources.openai.list import parse_page


def entry(job_id: object = "ftjob-1", status: object = "running", **others: object) -> dict[str, object]:
    return {"object": "fine_tuning.job", "id": job_id, "status": status, **others}


def body(*entries: object, **others: object) -> bytes:
    return json.dumps({"object": "list", "data": entries, **others}).encode()


def full(*, last: str = "ftjob-last") -> list[dict[str, object]]:
    return [*(entry(f"ftjob-{number}") for number in range(PAGE_SIZE - 1)), entry(last)]


def test_ids_and_statuses_are_read_in_their_order() -> None:
    page = parse_page(body(entry("ftjob-2", "queued"), entry("ftjob-1", "paused"), has_more=False), None)
    assert list(statuses_on(page).items()) == [("ftjob-2", "queued"), ("ftjob-1", "paused")]


@pytest.mark.parametrize(
    ("others", "after"),
    [
        ({"has_more": True}, "ftjob-1"),
        ({"has_more": False}, None),
        ({}, None),
        ({"has_more": None}, None),
        ({"has_more": "yes"}, None),
    ],
)
def test_a_page_says_whether_there_is_another(others: dict[str, object], after: str | None) -> None:
    assert parse_page(body(entry("ftjob-2"), entry("ftjob-1"), **others), None).after == after


def test_a_full_page_that_says_nothing_has_another_behind_it() -> None:
    assert parse_page(body(*full()), None).after == "ftjob-last"
    assert parse_page(body(*full(), has_more=False), None).after is None


def test_a_service_that_gives_more_than_was_asked_for_has_given_all() -> None:
    """It knows neither `limit` nor `after`, and may list its jobs in another order each time."""
    assert parse_page(body(*full(), entry("ftjob-over")), None).after is None
    assert parse_page(body(*full(), entry("ftjob-over"), has_more=True), None).after == "ftjob-over"


@pytest.mark.parametrize("entries", [[], [None], [{}], [entry(7)]], ids=str)
def test_a_page_without_an_id_to_go_on_with_is_the_last(entries: list[object]) -> None:
    assert parse_page(body(*entries, has_more=True), "ftjob-9") == Page({}, None)


def test_a_page_that_ends_where_it_was_to_begin_is_the_last() -> None:
    """A service that does not know `after` answers every question with the same page."""
    assert parse_page(body(*full(), has_more=True), None).after == "ftjob-last"
    assert parse_page(body(*full(), has_more=True), "ftjob-last").after is None


def test_an_empty_list_may_be_written_as_null() -> None:
    assert parse_page(b'{"object": "list", "data": null, "has_more": false}', None) == Page({}, None)


@pytest.mark.parametrize(
    "unusable",
    [
        None,
        7,
        "ftjob-3",
        [],
        {},
        {"id": "ftjob-3"},
        {"status": "running"},
        entry(None),
        entry(3),
        entry("../x"),
        entry(""),
        entry("a" * 1025),
        entry(status=None),
        entry(status=["running"]),
        entry(status=""),
        entry(status=" "),
        entry(status="a\nb"),
        entry(status="s" * 129),
    ],
    ids=str,
)
def test_an_entry_without_a_usable_id_and_status_is_left_out(unusable: object) -> None:
    page = parse_page(body(entry("ftjob-2"), unusable, entry("ftjob-0", "failed"), has_more=True), None)
    assert page == Page({"ftjob-2": ListedJob("running"), "ftjob-0": ListedJob("failed")}, "ftjob-0")


def test_the_next_page_comes_after_a_job_whose_status_is_unusable() -> None:
    page = parse_page(body(entry("ftjob-2"), entry("ftjob-1", status=None), has_more=True), None)
    assert (statuses_on(page), page.after) == ({"ftjob-2": "running"}, "ftjob-1")


@pytest.mark.parametrize(
    "oddity", ['"\\ud83d"', "9" * 5000, "1e999", '"\\u0000"', "[" * 50 + "]" * 50], ids=lambda text: text[:8]
)
def test_an_odd_value_in_one_job_does_not_spoil_the_page(oddity: str) -> None:
    document = f'{{"data": [{{"id": "ftjob-2", "status": "running", "seed": {oddity}}}, {json.dumps(entry())}]}}'
    assert set(parse_page(document.encode(), None).jobs) == {"ftjob-1", "ftjob-2"}


@pytest.mark.parametrize(
    ("given_body", "words"),
    [
        (b"", "it is empty"),
        (b"<html>One moment</html>", "it is HTML, not JSON"),
        (b"not json", "it is not JSON"),
        (b'{"data": [{"id": "ftj', "it is not JSON"),
        (b"\xff\xfe", "it is not UTF-8 text"),
        (b"[]", "it is JSON, but no object"),
        (b"null", "it is JSON, but no object"),
        (b"{}", "it has no data"),
        (b'{"error": {"message": "oh"}}', "it has no data"),
        (b'{"id": "ftjob-1", "status": "running"}', "it has no data"),
        (b'{"data": {"id": "ftjob-1", "status": "running"}}', "its data is not a list"),
        (b'{"data": "ftjob-1"}', "its data is not a list"),
        (b'{"data": ' + b"[" * 1000, "it is nested too deeply"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_list_is_malformed_and_says_why(given_body: bytes, words: str) -> None:
    with pytest.raises(MalformedResponseError, match=words) as raised:
        parse_page(given_body, None)
    assert len(str(raised.value)) < 400


def test_the_mark_at_the_beginning_of_a_text_is_no_trouble() -> None:
    assert statuses_on(parse_page(b"\xef\xbb\xbf" + body(entry()), None)) == {"ftjob-1": "running"}


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ANY_ENTRY = ANY_JSON | st.fixed_dictionaries({"id": ANY_JSON | st.just("ftjob-1"), "status": ANY_JSON})
ANY_PAGE = st.fixed_dictionaries({"data": st.lists(ANY_ENTRY) | ANY_JSON, "has_more": ANY_JSON | st.just(True)})


def test_what_rules_of_discovery_match_is_read() -> None:
    facts = {"created_at": 1_795_521_600, "model": "gpt-4o", "user_provided_suffix": "bot", "metadata": {"team": "nlp"}}
    page = parse_page(body(entry(**facts)), None)
    created_at = datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert page.jobs == {"ftjob-1": ListedJob("running", created_at, "gpt-4o", "bot", {"team": "nlp"})}


@pytest.mark.parametrize(
    "created_at",
    ["2026-11-24T12:00:00Z", "2026-11-24T13:00:00.000000000+01:00", "2026-11-24T12:00:00", 1_795_521_600.0],
)
def test_the_time_of_creation_may_be_written_in_other_ways(created_at: object) -> None:
    assert parse_page(body(entry(created_at=created_at)), None).jobs["ftjob-1"].created_at == datetime(
        2026, 11, 24, 12, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "odd",
    [
        {"created_at": "soon", "model": 7, "suffix": [], "metadata": "team"},
        {"created_at": "0001-01-01T00:00:00+01:00", "model": None, "suffix": None, "metadata": None},
        {"created_at": 1e300, "model": "", "suffix": "", "metadata": {}},
        {"created_at": True, "model": "m" * 513, "suffix": "s" * 513, "metadata": {"k" * 513: "v"}},
        {"created_at": [], "metadata": {f"k{number}": "v" for number in range(65)}},
        {"created_at": 0, "metadata": {"nothing": None, "number": 7, "long": "v" * 513}},
    ],
    ids=str,
)
def test_what_a_list_says_in_an_unusable_way_is_left_out(odd: dict[str, object]) -> None:
    assert parse_page(body(entry(**odd)), None).jobs == {"ftjob-1": ListedJob("running")}


def test_the_suffix_that_people_gave_names_a_job() -> None:
    page = parse_page(body(entry(suffix="azure"), entry("ftjob-2", suffix="", user_provided_suffix="openai")), None)
    assert [job.name for job in page.jobs.values()] == ["azure", "openai"]


@given(ANY_PAGE | ANY_JSON, st.none() | st.just("ftjob-1"))
def test_whatever_json_comes_is_a_usable_page_or_malformed(document: Any, asked_after: str | None) -> None:
    try:
        page = parse_page(json.dumps(document).encode(), asked_after)
    except MalformedResponseError:
        assert not isinstance(document, dict) or not isinstance(document.get("data", ""), list | None)
        return
    assert all(is_job_id(job_id) and job.status.strip() for job_id, job in page.jobs.items())
    assert page.after is None or (is_job_id(page.after) and page.after != asked_after)


@given(st.binary())
def test_whatever_bytes_come_are_malformed_at_worst(rubbish: bytes) -> None:
    try:
        page = parse_page(rubbish, None)
    except MalformedResponseError:
        return
    assert page.jobs == {}
