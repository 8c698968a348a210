"""The list of jobs and their events, asked for over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from tests.doubles import START, statuses_on
from tests.unit.sources.requests_made import KEY, World, failing, world
from watcher.domain.jobs import Page, Progress
from watcher.errors import ConfigurationError, MalformedResponseError, MissingError, RejectedError, TransientError
from watcher.simulator.script import Endpoint, Fault, FaultKind, JobScript, Script, Step
from watcher.sources.client import ATTEMPTS
from watcher.sources.http_source import ENTRIES_KEPT
from watcher.sources.listing import MOST_ENTRIES

JOBS = "/v1/fine_tuning/jobs"
RUNNING = Step("running", timedelta(seconds=100))

Ask = Callable[[World], Awaitable[object]]


def many(count: int, *, polls: int | None = None) -> Script:
    return Script(tuple(JobScript(f"ftjob-{n}", (Step("queued", polls=polls), Step("running"))) for n in range(count)))


def listed(*entries: object, **others: object) -> Fault:
    """Return a fault that gives this page of the list."""
    return Fault(status_code=200, times=None, body=json.dumps({"data": entries, **others}))


async def walk(world: World) -> list[Page]:
    """Ask for page after page, as long as there is another."""
    pages = [await world.source.page()]
    while (after := pages[-1].after) is not None:
        assert len(pages) < 10
        pages.append(await world.source.page(after))
    return pages


ask_page = pytest.param(lambda w: w.source.page(), id="page")
ask_events = pytest.param(lambda w: w.source.events("ftjob-1"), id="events")
ask_job = pytest.param(lambda w: w.source.retrieve("ftjob-1"), id="retrieve")


async def test_all_jobs_are_found_page_by_page_the_newest_first() -> None:
    async with world(script=many(250)) as w:
        pages = await walk(w)
        assert [len(page.jobs) for page in pages] == [100, 100, 50]
        found = [job_id for page in pages for job_id in page.jobs]
        assert found == [f"ftjob-{number}" for number in reversed(range(250))]
        assert {job.status for page in pages for job in page.jobs.values()} == {"queued"}
        assert [request.path for request in w.api.requests] == [JOBS] * 3
        assert [request.query for request in w.api.requests] == [
            "limit=100",
            "limit=100&after=ftjob-150",
            "limit=100&after=ftjob-50",
        ]
        assert w.api.requests[0].headers["authorization"] == f"Bearer {KEY}"


async def test_a_number_of_jobs_that_fills_its_pages_needs_no_further_one() -> None:
    async with world(script=many(200)) as w:
        assert [page.after for page in await walk(w)] == ["ftjob-100", None]


async def test_a_source_without_jobs_has_one_empty_page() -> None:
    async with world(script=Script()) as w:
        assert await walk(w) == [Page({}, None)]


async def test_parameters_of_the_settings_go_with_every_question() -> None:
    async with world(script=many(101), query={"provider": "a&b"}) as w:
        await walk(w)
        await w.source.events("ftjob-1")
        assert [request.query for request in w.api.requests] == [
            "limit=100&provider=a%26b",
            "limit=100&after=ftjob-1&provider=a%26b",
            "limit=100&provider=a%26b",
        ]


async def test_jobs_with_certain_metadata_are_asked_for() -> None:
    async with world() as w:
        all_jobs = await w.source.page()
        await w.source.page(metadata={"team": "a&b", "k[]": "7"})
        assert w.api.requests[-1].query == "limit=100&metadata%5Bteam%5D=a%26b&metadata%5Bk%5B%5D%5D=7"
        assert await w.source.page() is all_jobs
        assert w.api.requests[-1].query == "limit=100"


async def test_an_id_to_go_on_with_cannot_change_the_question() -> None:
    async with world() as w:
        with pytest.raises(MissingError):
            await w.source.page("a&limit=1#?/../\r\nx: y")
        assert w.api.requests[0].path == JOBS
        assert w.api.requests[0].query == "limit=100&after=a%26limit%3D1%23%3F%2F..%2F%0D%0Ax%3A+y"


async def test_a_page_equal_to_the_last_one_is_the_same_object() -> None:
    """It is not parsed again; one that differs is."""
    async with world(script=many(150)) as w:
        first, second = await walk(w)
        assert await w.source.page() is first
        assert await w.source.page(first.after) is second
        w.api.set_status("ftjob-149", "failed")
        changed = await w.source.page()
        assert (changed.jobs["ftjob-149"].status, first.jobs["ftjob-149"].status) == ("failed", "queued")
        assert await w.source.page(first.after) is second


async def test_a_malformed_page_leaves_what_is_known_of_the_last_one() -> None:
    async with world() as w:
        page = await w.source.page()
        w.api.add_fault(Fault(FaultKind.MALFORMED, times=ATTEMPTS))
        with pytest.raises(MalformedResponseError):
            await w.source.page()
        assert await w.source.page() is page


async def test_pages_asked_for_long_ago_are_forgotten() -> None:
    """Which job a page begins after changes with every job that is created: without a limit they would pile up."""
    async with world(script=many(250), pages_kept=2) as w:
        first, second, third = await walk(w)
        assert await w.source.page(second.after) is third
        assert await w.source.page(first.after) is second
        again = await w.source.page()
        assert again == first
        assert again is not first
        assert await w.source.page(second.after) is not third


async def test_large_pages_are_forgotten_sooner() -> None:
    """A service may give ten thousand jobs at once; of two hundred such pages the memory would be gone."""
    entries = [{"id": f"ftjob-{number}", "status": "running"} for number in range(MOST_ENTRIES)]
    async with world() as w:
        w.api.add_fault(listed(*entries, has_more=False))
        first = await w.source.page()
        for number in range(ENTRIES_KEPT // MOST_ENTRIES - 1):
            await w.source.page(f"ftjob-{number}")
        assert await w.source.page() is first
        for number in range(ENTRIES_KEPT // MOST_ENTRIES):
            await w.source.page(f"ftjob-{number}")
        assert await w.source.page() is not first


async def test_a_service_that_gives_the_same_page_for_ever_ends_the_walk() -> None:
    async with world() as w:
        w.api.add_fault(listed({"id": "ftjob-2", "status": "queued"}, has_more=True))
        assert [page.after for page in await walk(w)] == ["ftjob-2", None]


async def test_an_entry_that_is_spoiled_is_left_out_of_its_page() -> None:
    async with world() as w:
        w.api.add_fault(Fault(FaultKind.NO_STATUS, endpoint=Endpoint.LIST))
        assert statuses_on(await w.source.page()) == {"ftjob-1": "running"}


async def test_how_far_a_job_has_come_is_asked_of_its_events() -> None:
    job = JobScript("ftjob-1", (Step("queued", timedelta(seconds=50)), RUNNING, Step("succeeded")))
    async with world(script=Script((job,))) as w:
        assert (await w.source.events("ftjob-1")).progress is None
        w.clock.move(seconds=92)
        assert (await w.source.events("ftjob-1")).progress == Progress(42, 100, START + timedelta(seconds=92))
        request = w.api.requests[1]
        assert (request.path, request.query) == (f"{JOBS}/ftjob-1/events", "limit=100")


@pytest.mark.parametrize("job_id", ["..", "a/../b", "x y", ""])
async def test_no_id_can_change_the_path_to_the_events(job_id: str) -> None:
    async with world() as w:
        with pytest.raises(ConfigurationError, match="not a job id"):
            await w.source.events(job_id)
        assert w.api.requests == []


@pytest.mark.parametrize("ask", [ask_page, ask_events])
async def test_what_passes_is_tried_again(ask: Ask) -> None:
    async with world() as w:
        w.api.add_fault(failing(times=ATTEMPTS - 1))
        await ask(w)
        assert len(w.api.requests) == ATTEMPTS
        assert len(w.slept) == ATTEMPTS - 1
        assert w.log.events("info") == ["request failed, trying again"] * 2


@pytest.mark.parametrize("ask", [ask_page, ask_events])
@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (failing(404, times=None), MissingError, "HTTP 404"),
        (failing(405, times=None), TransientError, "HTTP 405"),
        (failing(501, times=None), TransientError, "HTTP 501"),
        (failing(403, times=None), RejectedError, "HTTP 403"),
        (failing(429, times=None, retry_after="60"), TransientError, "HTTP 429"),
        (Fault(FaultKind.MALFORMED, times=None), MalformedResponseError, "it is HTML, not JSON"),
        (Fault(FaultKind.TRUNCATED_JSON, times=None), MalformedResponseError, "it is not JSON"),
        (Fault(FaultKind.REDIRECT, times=None), MalformedResponseError, "a redirect to /login"),
        (Fault(status_code=200, times=None, body='{"data": 3}'), MalformedResponseError, "its data is not a list"),
        (Fault(FaultKind.HANG, times=None), TransientError, "no answer within"),
        (Fault(FaultKind.RESET_MID_BODY, times=None), TransientError, "broke"),
        (Fault(FaultKind.OVERSIZED, times=None), TransientError, "larger than"),
    ],
    ids=str,
)
async def test_trouble_is_of_the_same_kinds_as_with_a_job(
    ask: Ask, fault: Fault, error: type[Exception], words: str
) -> None:
    async with world() as w:
        w.api.add_fault(fault)
        with pytest.raises(error, match=words):
            await ask(w)


async def test_a_service_without_lists_says_so() -> None:
    script = Script((JobScript("ftjob-1"),), endpoints=frozenset({Endpoint.RETRIEVE}))
    async with world(script=script) as w:
        for ask in (w.source.page(), w.source.events("ftjob-1")):
            with pytest.raises(MissingError, match="Invalid URL"):
                await ask
        assert await w.source.retrieve("ftjob-1") is not None


@pytest.mark.parametrize("ask", [ask_page, ask_events])
@pytest.mark.parametrize(
    "fault",
    [
        Fault(status_code=401, times=None, error={"message": f"no such key: {KEY}"}),
        Fault(FaultKind.MALFORMED, times=None, body=f"<p>no such key: {KEY}</p>"),
    ],
    ids=["in an error", "in what is no list"],
)
async def test_a_service_that_echoes_the_key_does_not_get_it_into_an_error(ask: Ask, fault: Fault) -> None:
    async with world() as w:
        w.api.add_fault(fault)
        with pytest.raises((RejectedError, MalformedResponseError), match=r"no such key: \*\*\*") as raised:
            await ask(w)
        assert KEY not in f"{raised.value!r}{w.log.lines!r}"
        assert raised.value.request_id is not None


@pytest.mark.parametrize("ask", [ask_page, ask_events, ask_job])
async def test_a_service_without_a_key_has_its_errors_told_as_they_are(ask: Ask) -> None:
    async with world(script=Script((JobScript("ftjob-1"),)), api_key=None) as w:
        w.api.add_fault(Fault(status_code=400, times=1, error={"message": "no"}))
        with pytest.raises(TransientError, match=r"^HTTP 400: no$"):
            await ask(w)
        w.api.add_fault(Fault(FaultKind.MALFORMED, times=None, body="<p>no"))
        with pytest.raises(MalformedResponseError, match=r"^malformed answer: it is HTML, not JSON: <p>no$"):
            await ask(w)


@pytest.mark.parametrize("ask", [ask_page, ask_events, ask_job])
async def test_every_attempt_awaits_its_turn(ask: Ask) -> None:
    """What is on the wire never exceeds what was let through, not even by a repetition."""
    seen: list[int] = []

    async def turn() -> None:
        seen.append(len(w.api.requests))

    async with world(turn=turn) as w:
        w.api.add_fault(failing(times=ATTEMPTS - 1))
        await ask(w)
        await ask(w)
        assert seen == [0, 1, 2, 3]
        assert len(w.api.requests) == 4


async def test_every_log_line_about_an_answer_names_its_request() -> None:
    async with world() as w:
        w.api.add_fault(failing())
        await w.source.page()
        await w.source.page()
        await w.source.events("ftjob-1")
        assert [facts["request_id"] for _, _, facts in w.log.lines] == ["req_1", "req_2", "req_3", "req_4"]
        assert [event for _, event, _ in w.log.lines] == [
            "request failed, trying again",
            "page answered",
            "page answered",
            "look at events answered",
        ]
