"""Reading the list: no page too many, and nothing overlooked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from tests.doubles import ManualClock, ScriptedSource, job_in
from watcher.domain.jobs import NO_METADATA, Job, JobKey, ListedJob, Page
from watcher.engine.polling.list_scan import BARREN_PAGES, VERIFY_INTERVAL, ListScan
from watcher.errors import TransientError
from watcher.plugins.source import Capabilities

ROUNDS = 50


def source_of(ids: Iterable[str]) -> ScriptedSource:
    return ScriptedSource(ManualClock(), {job_id: ["running"] for job_id in ids})


def scan_of(source: ScriptedSource) -> ListScan:
    return ListScan(source, interval=VERIFY_INTERVAL / ROUNDS, steady=lambda: source.clock().timestamp())


def running(job_id: str) -> Job:
    return job_in("running")._replace(key=JobKey("openai", job_id))


def names(count: int, prefix: str = "job") -> list[str]:
    return [f"{prefix}-{number}" for number in range(count)]


async def test_every_wanted_job_is_found_with_one_request_a_page() -> None:
    source, wanted = source_of(names(950)), frozenset(names(950))
    scan = scan_of(source)

    assert await scan.read(wanted) == dict.fromkeys(names(950), "running")
    assert len(source.pages_asked) == 10
    assert scan.pages == 10


async def test_known_pages_are_read_side_by_side_and_none_twice() -> None:
    source, wanted = source_of(names(950)), frozenset(names(950))
    scan = scan_of(source)
    await scan.read(wanted)
    before, source.pages_asked = source.pages_asked, []

    assert len(await scan.read(wanted)) == 950
    assert set(source.pages_asked) == set(before)
    assert len(source.pages_asked) == 10


async def test_a_list_in_another_order_is_read_from_its_top_each_time() -> None:
    """A job of ours may stand anywhere, and a page may begin anywhere else the next time."""
    source, wanted = source_of(names(950)), frozenset({"job-3", "job-949"})
    source.capabilities = Capabilities()
    scan = scan_of(source)
    for _ in range(2):
        source.pages_asked = []
        assert await scan.read(wanted) == {"job-3": "running", "job-949": "running"}
        assert source.pages_asked == [None, *(f"job-{number}" for number in range(99, 900, 100))]
        source.listed.reverse()
        source.pages_asked = []
        assert await scan.read(wanted) == {"job-3": "running", "job-949": "running"}
        assert len(source.pages_asked) == 10
        source.listed.reverse()


async def test_a_list_in_another_order_that_shows_the_same_page_for_ever_is_left() -> None:
    source = source_of(names(300))
    source.capabilities = Capabilities()

    async def page(after: str | None = None, /, *, metadata: Mapping[str, str] = NO_METADATA) -> Page:
        source.pages_asked.append(after)
        return Page(dict.fromkeys(names(100), ListedJob("running")), f"job-{len(source.pages_asked) % 100}")

    source.page = page  # type: ignore[method-assign]
    assert len(await scan_of(source).read(frozenset(names(300)))) == 100
    assert len(source.pages_asked) == 1 + BARREN_PAGES


async def test_the_pages_from_the_top_on_are_kept_for_others() -> None:
    source = source_of(names(950))
    scan = scan_of(source)
    await scan.read(frozenset(names(250)))
    assert [len(page.jobs) for page in scan.top] == [100, 100, 100]
    await scan.read(frozenset(names(250)))
    assert [next(iter(page.jobs)) for page in scan.top] == ["job-0"]


async def test_new_jobs_on_top_are_found_and_cost_a_page() -> None:
    source = source_of([*names(300), *names(40, "new")])
    source.listed = names(300)
    scan = scan_of(source)
    await scan.read(frozenset(names(300)))
    source.listed, source.pages_asked = [*names(40, "new"), *names(300)], []

    found = await scan.read(frozenset([*names(300), *names(40, "new")]))

    assert len(found) == 340
    assert len(source.pages_asked) == 4


async def test_pages_without_our_jobs_are_not_read_again() -> None:
    source = source_of(names(500))
    wanted = frozenset([*names(500)[:50], *names(500)[420:]])
    scan = scan_of(source)
    assert len(await scan.read(wanted)) == 130
    source.pages_asked = []

    assert len(await scan.read(wanted)) == 130
    assert source.pages_asked == [None, "job-399"]


async def test_a_list_that_goes_on_without_our_jobs_is_not_read_to_its_end() -> None:
    source = source_of(names(5000))
    scan = scan_of(source)

    assert await scan.read(frozenset({"job-4999", "elsewhere"})) == {}
    assert len(source.pages_asked) == BARREN_PAGES


async def test_reading_ends_at_a_service_that_shows_the_same_page_again_and_again() -> None:
    source = source_of(names(300))

    async def page(after: str | None = None, /, *, metadata: Mapping[str, str] = NO_METADATA) -> Page:
        source.pages_asked.append(after)
        return Page(dict.fromkeys(names(100), ListedJob("running")), f"job-{len(source.pages_asked) % 100}")

    source.page = page  # type: ignore[method-assign]

    assert len(await scan_of(source).read(frozenset(names(300)))) == 100
    assert len(source.pages_asked) == 1 + BARREN_PAGES


async def test_reading_ends_when_all_are_found() -> None:
    source = source_of(names(5000))

    assert len(await scan_of(source).read(frozenset(names(120)))) == 120
    assert len(source.pages_asked) == 2


@pytest.mark.parametrize("after_trouble", ["the list is whole again", "a page began after a job that is gone"])
async def test_after_trouble_the_list_is_read_from_its_top(after_trouble: str) -> None:
    source, wanted = source_of(names(400)), frozenset(names(400))
    scan = scan_of(source)
    await scan.read(wanted)
    source.list_trouble = TransientError("HTTP 404: no such job")
    with pytest.raises(TransientError):
        await scan.read(wanted)
    source.list_trouble, source.pages_asked = None, []
    if "gone" in after_trouble:
        source.listed.remove("job-99")

    assert len(await scan.read(wanted)) == len(source.listed)
    assert source.pages_asked[0] is None
    assert len(source.pages_asked) == 4


async def test_now_and_then_the_list_is_read_from_its_top() -> None:
    """Jobs that are watched only now may stand on pages that were of no use before."""
    source = source_of(names(500))
    scan = scan_of(source)
    await scan.read(frozenset([*names(10), *names(500)[480:]]))
    everybody = frozenset(names(500))
    found = [len(await scan.read(everybody)) for _ in range(ROUNDS)]

    assert found[0] == 200
    assert found[-1] == 500


async def test_each_job_is_verified_once_in_so_many_readings() -> None:
    source, wanted = source_of(names(200)), frozenset(names(200))
    scan = scan_of(source)
    verified: list[str] = []
    for _ in range(ROUNDS):
        await scan.read(wanted)
        verified += [job_id for job_id in wanted if not scan.settles(running(job_id), {job_id: "running"})]

    assert sorted(verified) == sorted(wanted)
