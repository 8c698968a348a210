"""New jobs are found in the list: once each, within a scan, at the cost of a page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.doubles import START, ManualClock, RecordingLog, ScriptedSource, runtime
from watcher.domain.discovery import Matcher, Rule
from watcher.domain.health import DiscoveryHealth
from watcher.domain.jobs import NO_METADATA, JobKey, JobSpec, ListedJob, Page
from watcher.domain.states import OPENAI_STATES
from watcher.engine.polling.discovery import Discovery, SourceRules, looks
from watcher.engine.polling.list_scan import MOST_PAGES
from watcher.engine.ports import Adopted, Adoption, RecordedLine
from watcher.errors import RejectedError, StoreUnavailableError, TransientError
from watcher.plugins.source import Capabilities, ListOrder
from watcher.store.sql import SqlStore

INTERVAL = timedelta(seconds=30)
ALL = Rule("all", "openai")
BY_AGE = Capabilities(order=ListOrder.NEWEST_FIRST, page_size=100, filters=True)
ANY_ORDER = Capabilities(page_size=100)
DRAWN = "the line of a rule is drawn: from now on every new job that it matches is watched"


@dataclass
class FaultyLines:
    """What discovery has of a real store, until it cannot be asked."""

    store: SqlStore
    fault: Exception | None = None
    """What the store raises."""

    async def lines(self, source: str) -> Mapping[str, RecordedLine]:
        if self.fault:
            raise self.fault
        return await self.store.lines(source)

    async def adopt(self, adoption: Adoption, now: datetime) -> Adopted:
        if self.fault:
            raise self.fault
        return await self.store.adopt(adoption, now)


class World:
    """A list of jobs, a store, and what finds the one in the other."""

    def __init__(self, store: SqlStore, *rules: Rule, capabilities: Capabilities = BY_AGE) -> None:
        self.clock = ManualClock()
        self.log = RecordingLog()
        self.store = store
        self.lines = FaultyLines(store)
        self.source = ScriptedSource(self.clock, {})
        self.source.capabilities = capabilities
        self.restart(*(rules or (ALL,)))

    def restart(self, *rules: Rule) -> None:
        """Begin with these rules, and nothing in memory."""
        chosen = SourceRules(rules, OPENAI_STATES, INTERVAL)
        self.discovery = Discovery(self.source, chosen, store=self.lines, runtime=runtime(self.clock, self.log))

    def add(self, *ids: str, status: str = "running", age: timedelta = timedelta(), **facts: object) -> None:
        """Put jobs on top of the list, created so long ago."""
        for job_id in ids:
            self.source.script[job_id] = [status]
            self.source.described[job_id] = ListedJob(status, self.clock() - age)._replace(**facts)  # type: ignore[arg-type]
            self.source.listed.insert(0, job_id)

    async def scan(self, **duration: float) -> list[str]:
        """Move the clock, look at the list, and return which jobs are watched that were not."""
        self.clock.move(**duration)
        before = {job.key.id for job in await self.store.jobs()}
        count = await self.discovery.scan()
        new = sorted({job.key.id for job in await self.store.jobs()} - before)
        assert count == len(new)
        return new

    def remember_pages(self) -> dict[str | None, Page]:
        """Let a page that says what it said before be the same object, as a source has it."""
        known: dict[str | None, Page] = {}
        ask = self.source.page

        async def page(cursor: str | None = None, /, *, metadata: Mapping[str, str] = NO_METADATA) -> Page:
            found = await ask(cursor, metadata=metadata)
            if known.get(cursor) != found:
                known[cursor] = found
            return known[cursor]

        self.source.page = page  # type: ignore[method-assign]
        return known

    def pages(self) -> int:
        """Return how many pages were asked for since the last call."""
        count = len(self.source.pages_asked)
        self.source.pages_asked = []
        return count

    def logged(self, event: str) -> Mapping[str, object]:
        return next(facts for _, said, facts in self.log.lines if said == event)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with SqlStore(f"sqlite:///{tmp_path}/watcher.db") as opened:
        yield opened


def names(prefix: str, count: int) -> Iterable[str]:
    return (f"{prefix}-{number}" for number in range(count))


async def test_what_runs_is_watched_and_what_had_ended_is_not(store: SqlStore) -> None:
    world = World(store)
    world.add("old", status="failed", age=timedelta(days=1))
    world.add("going", age=timedelta(hours=1), name="bot")
    assert await world.scan() == ["going"]
    assert world.logged(DRAWN) == {
        "rule": "all",
        "source": "openai",
        "listed": 2,
        "adopted": 1,
        "ended_before": 1,
    }
    assert await store.job(JobKey("openai", "going")) is not None
    assert world.discovery.health() == [DiscoveryHealth("all", "openai", 1, START)]


async def test_a_job_that_came_and_ended_between_two_scans_is_watched_once(store: SqlStore) -> None:
    world = World(store)
    await world.scan()
    world.clock.move(seconds=10)
    world.add("brief", status="succeeded")
    assert await world.scan(seconds=20) == ["brief"]
    assert await world.scan(seconds=30) == []
    assert world.logged("jobs discovered") == {"rule": "all", "source": "openai", "jobs": 1}


async def test_old_jobs_cost_a_page_each_time_also_while_nothing_is_new(store: SqlStore) -> None:
    world = World(store, Rule("runs", "openai", Matcher(states=frozenset({"running"}))))
    pages = world.remember_pages()
    world.add(*names("old", 1_000), status="succeeded", age=timedelta(days=3))
    assert await world.scan() == []
    assert len(pages) == world.pages() == 10
    for _ in range(3):
        assert await world.scan(seconds=30) == []
        assert world.pages() == 1
    world.add("waits", status="queued")
    world.add(*names("brief", 150), status="failed")
    await world.scan(seconds=30)
    world.pages()
    for _ in range(2):
        assert await world.scan(seconds=30) == []
        assert world.pages() == 2  # as deep as the one that may yet run
    world.source.script["waits"] = ["running"]
    assert await world.scan(seconds=30) == ["waits"]
    await world.scan(seconds=30)
    world.pages()
    await world.scan(seconds=30)
    assert world.pages() == 1


async def test_a_list_that_shows_its_order_costs_a_page_and_is_proven_anew_now_and_then(store: SqlStore) -> None:
    world = World(store, capabilities=ANY_ORDER)
    world.remember_pages()
    for number in reversed(range(250)):
        world.add(f"old-{number}", status="succeeded", age=timedelta(days=1, minutes=number))
    await world.scan()
    assert world.log.events("info")[-1] == "the list has shown to be ordered by age: what is new is looked for on top"
    world.pages()
    world.add("new")
    assert await world.scan(seconds=30) == ["new"]
    assert await world.scan(seconds=30) == []
    assert world.pages() == 2
    world.add("deep")
    world.source.listed = [*world.source.listed[1:], "deep"]
    assert await world.scan(seconds=30) == []
    assert await world.scan(minutes=5) == ["deep"]
    assert world.log.events("warning")[0] == "the list is not ordered by age, so every scan reads all of it"
    world.pages()
    await world.scan(seconds=30)
    assert world.pages() == 3


async def test_ten_thousand_old_jobs_cost_one_scan_and_then_a_page_each_time(store: SqlStore) -> None:
    world = World(store)
    world.add(*names("old", 10_000), status="succeeded", age=timedelta(days=3))
    assert await world.scan() == []
    assert world.pages() == 100
    for number in range(5):
        world.add(f"new-{number}")
        assert await world.scan(seconds=30) == [f"new-{number}"]
        assert world.pages() == 1
    world.restart(ALL)
    world.add("after-restart", status="failed")
    assert await world.scan(seconds=30) == ["after-restart"]
    assert world.pages() == 1


class InParts:
    """A service with a list of its own for each kind of job: one leads on to the next."""

    def __init__(self, *lists: ScriptedSource) -> None:
        self.lists = lists
        self.capabilities = Capabilities(order=ListOrder.IN_PARTS, page_size=100)

    async def page(self, cursor: str | None = None, /, *, metadata: Mapping[str, str] = NO_METADATA) -> Page:
        number, _, after = (cursor or "0").partition("/")
        page = await self.lists[int(number)].page(after or None, metadata=metadata)
        following = int(number) + 1
        next_part = f"{following}" if following < len(self.lists) else None
        return replace(page, after=f"{number}/{page.after}" if page.after else next_part, next_part=next_part)

    def pages(self) -> list[int]:
        """Return how many pages of each list were asked for since the last call."""
        counts = [len(source.pages_asked) for source in self.lists]
        for source in self.lists:
            source.pages_asked = []
        return counts


async def test_each_list_of_a_service_costs_a_page_however_many_old_jobs_it_holds(store: SqlStore) -> None:
    world, *worlds = [World(store) for _ in range(4)]
    parts = InParts(*(listed.source for listed in worlds))
    for kind, listed in zip("abc", worlds, strict=True):
        listed.clock = world.clock
        listed.add(*names(f"{kind}-old", 1_000), status="succeeded", age=timedelta(days=3))
    worlds[2].add("c-runs", age=timedelta(days=2))
    world.source = parts  # type: ignore[assignment]
    runs = Matcher(states=frozenset({"running", "failed"}))
    world.restart(Rule("runs", "openai", runs))
    assert await world.scan() == ["c-runs"]
    assert parts.pages() == [10, 10, 11]
    pages = world.remember_pages()
    assert await world.scan(seconds=30) == []
    assert parts.pages() == [1, 1, 1]

    for kind, listed in zip("abc", worlds, strict=True):
        # The first list alone changes, then the second, then the third: what the others say again costs nothing.
        listed.add(f"{kind}-new", status="failed")
        assert await world.scan(seconds=30) == [f"{kind}-new"]
        assert parts.pages() == [1, 1, 1]
        listed.add(*names(f"{kind}-many", 150), status="failed")
        assert len(await world.scan(seconds=30)) == 150
        assert sorted(parts.pages()) == [1, 1, 2]

    for kind, listed in zip("abc", worlds, strict=True):
        listed.add(*names(f"{kind}-more", 150), status="failed")
    assert len(await world.scan(seconds=30)) == 450
    assert parts.pages() == [2, 2, 2]

    worlds[1].add("b-waits", status="queued")
    worlds[1].add(*names("b-brief", 150), status="succeeded")
    await world.scan(seconds=30)
    parts.pages()
    assert await world.scan(seconds=30) == []
    assert parts.pages() == [1, 2, 1]  # as deep as the one that may yet run
    worlds[1].source.script["b-waits"] = ["running"]
    assert await world.scan(seconds=30) == ["b-waits"]
    assert None in pages
    assert world.log.events("warning") == []


async def test_more_new_jobs_than_a_page_holds_are_all_found(store: SqlStore) -> None:
    world = World(store)
    world.add(*names("old", 300), status="succeeded", age=timedelta(days=3))
    await world.scan()
    world.pages()
    world.add(*names("new", 250))
    assert len(await world.scan(seconds=30)) == 250
    assert world.pages() == 3


async def test_a_page_that_says_what_it_said_is_not_judged_again(store: SqlStore) -> None:
    """Not even the store is asked: it is gone here."""
    world = World(store)
    page = Page({"a": ListedJob("running", START)}, None)

    async def same(cursor: str | None = None, /, *, metadata: Mapping[str, str] = NO_METADATA) -> Page:
        return page

    world.source.page = same  # type: ignore[method-assign]
    await world.scan()
    world.lines.fault = AssertionError()
    assert await world.discovery.scan() == 0


async def test_pages_that_are_read_anyway_are_learned_from(store: SqlStore) -> None:
    world = World(store)
    world.add(*names("old", 250), status="succeeded", age=timedelta(days=3))
    await world.scan()
    assert not world.discovery.is_due()
    world.add("new")
    top = [await world.source.page()]
    world.pages()
    world.discovery.offer(top)
    assert world.discovery.has_offer
    assert world.discovery.is_due()
    assert await world.scan() == ["new"]
    assert world.pages() == 0
    world.add(*names("more", 150))
    world.discovery.offer([await world.source.page()])
    world.pages()
    assert len(await world.scan()) == 150
    assert world.pages() == 1  # those that were offered did not reach the line


async def test_it_looks_by_itself_once_per_interval(store: SqlStore) -> None:
    world = World(store)
    assert world.discovery.is_due()
    await world.scan()
    world.clock.move(seconds=29)
    assert not world.discovery.is_due()
    world.clock.move(seconds=1)
    assert world.discovery.is_due()
    world.discovery.is_running = True
    assert not world.discovery.is_due()


async def test_backfill_tells_of_jobs_that_had_ended(store: SqlStore) -> None:
    world = World(store, Rule("all", "openai", backfill=timedelta(days=7)))
    world.add("older", status="failed", age=timedelta(days=8))
    world.add("old", status="failed", age=timedelta(days=6))
    assert await world.scan() == ["old"]


async def test_a_rule_that_has_changed_looks_at_all_that_runs(store: SqlStore) -> None:
    world = World(store, Rule("r", "openai", Matcher(models=("a",))))
    world.add("b-ended", status="failed", model="b")
    world.add("b-going", model="b")
    world.add("a-going", model="a")
    assert await world.scan() == ["a-going"]
    world.restart(Rule("r", "openai"))
    world.clock.move(seconds=10)
    world.add("b-brief", status="failed", model="b")
    assert await world.scan(seconds=20) == ["b-brief", "b-going"]
    world.restart(Rule("r", "openai"))
    world.pages()
    assert await world.scan(seconds=30) == []


async def test_a_job_that_comes_into_a_wanted_state_later_is_watched_then(store: SqlStore) -> None:
    """However deep in the list it stands by then, and over a restart."""
    rule = Rule("failures", "openai", Matcher(states=frozenset({"failed"})))
    world = World(store, rule)
    world.add("deep", "well")
    world.add(*names("old", 250), status="succeeded", age=timedelta(days=3))
    assert await world.scan() == []
    world.add(*names("new", 250), status="succeeded")
    assert await world.scan(seconds=30) == []
    world.pages()
    world.restart(rule)
    world.source.script |= {"deep": ["failed"], "well": ["succeeded"]}
    assert await world.scan(seconds=30) == ["deep"]
    assert world.pages() == 6
    world.add("one-more", status="succeeded")
    assert await world.scan(seconds=30) == []
    assert world.pages() == 1  # nothing is undecided any more


async def test_an_undecided_job_that_is_gone_is_looked_for_once(store: SqlStore) -> None:
    world = World(store, Rule("failures", "openai", Matcher(states=frozenset({"failed"}))))
    world.add(*names("old", 250), status="succeeded", age=timedelta(days=3))
    world.add("gone")
    await world.scan()
    world.source.listed.remove("gone")
    world.add("other", status="failed")
    world.pages()
    assert await world.scan(seconds=30) == ["other"]
    assert world.pages() == 3
    world.add("third", status="failed")
    assert await world.scan(seconds=30) == ["third"]
    assert world.pages() == 1


async def test_an_undecided_job_on_a_page_that_did_not_change_stays_so(store: SqlStore) -> None:
    world = World(store, Rule("failures", "openai", Matcher(states=frozenset({"failed"}))), capabilities=ANY_ORDER)
    pages = {
        None: Page({"a": ListedJob("running", START)}, "a"),
        "a": Page({"b": ListedJob("running", START)}, None),
    }

    async def page(cursor: str | None = None, /, *, metadata: Mapping[str, str] = NO_METADATA) -> Page:
        return pages[cursor]

    world.source.page = page  # type: ignore[method-assign]
    assert await world.scan() == []
    pages[None] = Page({"a": ListedJob("failed", START)}, "a")
    assert await world.scan() == ["a"]
    pages["a"] = Page({"b": ListedJob("failed", START)}, None)
    assert await world.scan() == ["b"]


async def test_a_list_in_no_known_order_is_read_whole_and_the_cost_is_told(store: SqlStore) -> None:
    world = World(store, capabilities=ANY_ORDER)
    world.add(*names("old", 250), status="succeeded", age=timedelta(days=3))
    await world.scan()
    world.add("new")
    world.source.listed = [*world.source.listed[1:], "new"]
    world.pages()
    assert await world.scan(seconds=30) == ["new"]
    assert world.pages() == 3
    assert world.log.events("warning") == ["the order of the list is not known, so every scan reads all of it"]
    assert world.logged("the order of the list is not known, so every scan reads all of it") == {
        "source": "openai",
        "requests": 3,
        "every_seconds": 30.0,
    }


async def test_one_page_that_holds_all_costs_nothing_to_speak_of(store: SqlStore) -> None:
    world = World(store, capabilities=Capabilities())
    world.add("a")
    await world.scan()
    assert world.log.events("warning") == []


async def test_a_list_that_is_not_by_age_as_it_should_be_is_read_whole(store: SqlStore) -> None:
    world = World(store)
    for number in range(250):
        world.add(f"job-{number}", status="succeeded", age=timedelta(minutes=10 * number))
    await world.scan()
    assert world.log.events("warning")[0] == "the list is not ordered by age, so every scan reads all of it"
    world.pages()
    world.add("new")
    world.source.listed = [*world.source.listed[1:], "new"]
    assert await world.scan(seconds=30) == ["new"]
    assert world.pages() == 3


async def test_a_rule_brings_no_more_jobs_than_its_limit(store: SqlStore) -> None:
    """A list that makes jobs up can neither fill the store nor be read for ever."""
    world = World(store, Rule("all", "openai", limit=150))
    world.add(*names("job", 5000))
    assert len(await world.scan()) == 150
    assert world.pages() == 2
    told = world.logged("a rule has reached its limit: raise it, or let the rule match less")
    assert told == {"rule": "all", "limit": 150, "not_watched": 50}
    world.add(*names("more", 10))
    assert await world.scan(seconds=30) == []
    assert len(world.log.events("warning")) == 1
    for job in (await store.jobs())[:5]:
        await store.remove_job(job.key, world.clock())
    world.add("with-room")
    assert await world.scan(seconds=30) == ["with-room"]


async def test_a_list_without_an_end_is_left_in_the_end(store: SqlStore) -> None:
    world = World(store)
    count = 0

    async def page(cursor: str | None = None, /, *, metadata: Mapping[str, str] = NO_METADATA) -> Page:
        nonlocal count
        count += 1
        return Page({f"job-{count}": ListedJob("failed", START - timedelta(days=1))}, f"after-{count}")

    world.source.page = page  # type: ignore[method-assign]
    await world.scan()
    assert count == MOST_PAGES
    assert world.log.events("warning") == ["the list has no end, what lies deeper is not looked at"]


async def test_a_service_that_shows_the_same_page_again_and_again_is_asked_twice(store: SqlStore) -> None:
    world = World(store)
    asked = []

    async def page(cursor: str | None = None, /, *, metadata: Mapping[str, str] = NO_METADATA) -> Page:
        asked.append(cursor)
        return Page({"job-1": ListedJob("running", START)}, f"after-{len(asked)}")

    world.source.page = page  # type: ignore[method-assign]
    assert await world.scan() == ["job-1"]
    assert len(asked) == 2


async def test_empty_pages_may_lead_on(store: SqlStore) -> None:
    world = World(store)
    pages = {None: Page({}, "a"), "a": Page({}, "b"), "b": Page({"job-1": ListedJob("running", START)}, None)}

    async def page(cursor: str | None = None, /, *, metadata: Mapping[str, str] = NO_METADATA) -> Page:
        return pages[cursor]

    world.source.page = page  # type: ignore[method-assign]
    assert await world.scan() == ["job-1"]


async def test_what_was_found_before_a_failure_is_watched_and_the_rest_at_the_next_scan(store: SqlStore) -> None:
    world = World(store)
    world.add("deep")
    world.add(*names("old", 150), status="succeeded", age=timedelta(days=3))
    world.add("top")
    whole = world.source.page

    async def page(cursor: str | None = None, /, *, metadata: Mapping[str, str] = NO_METADATA) -> Page:
        if cursor:
            raise TransientError("HTTP 503")
        return await whole(cursor)

    world.source.page = page  # type: ignore[method-assign]
    with pytest.raises(TransientError):
        await world.discovery.scan()
    assert [job.key.id for job in await store.jobs()] == ["top"]
    assert DRAWN not in world.log.events("info")
    world.clock.move(seconds=10)
    world.add("brief", status="failed")  # after the rule came to be, and before its line was drawn
    world.source.page = whole  # type: ignore[method-assign]
    assert await world.scan(seconds=20) == ["brief", "deep"]


async def test_a_store_out_of_reach_costs_a_scan(store: SqlStore) -> None:
    world = World(store)
    world.add("a")
    world.lines.fault = StoreUnavailableError("locked")
    assert await world.scan() == []
    assert world.log.events("warning") == ["jobs cannot be discovered: the store cannot be used"]
    assert world.discovery.health()[0].scanned_at is None
    world.lines.fault = None
    assert await world.scan(seconds=30) == ["a"]


async def test_a_service_that_filters_is_asked_for_what_the_rules_want(store: SqlStore) -> None:
    rules = [
        Rule("nlp", "openai", Matcher(metadata={"team": "nlp"})),
        Rule("vision", "openai", Matcher(metadata={"team": "vision", "run": "*"})),
    ]
    world = World(store, *rules)
    world.add(*names("other", 5000), status="running", metadata={"team": "audio"})
    world.add("a", metadata={"team": "nlp"})
    world.add("b", metadata={"team": "vision", "run": "1"})
    assert await world.scan() == ["a", "b"]
    assert world.pages() == 2


async def test_a_service_that_does_not_take_the_filter_is_asked_for_all(store: SqlStore) -> None:
    world = World(store, Rule("nlp", "openai", Matcher(metadata={"team": "nlp"})))
    world.add("a", metadata={"team": "nlp"})
    whole = world.source.page

    async def page(cursor: str | None = None, /, *, metadata: Mapping[str, str] = NO_METADATA) -> Page:
        if metadata:
            raise TransientError("HTTP 400: no such parameter", status_code=400)
        return await whole(cursor)

    world.source.page = page  # type: ignore[method-assign]
    assert await world.scan() == []
    assert world.discovery.is_due()
    assert await world.scan() == ["a"]


async def test_a_rejection_is_none_of_the_filter(store: SqlStore) -> None:
    world = World(store, Rule("nlp", "openai", Matcher(metadata={"team": "nlp"})))
    world.source.list_trouble = RejectedError("HTTP 401", status_code=401)
    with pytest.raises(RejectedError):
        await world.discovery.scan()
    assert not world.discovery.is_due()


def test_the_fewest_readings_serve_all_rules() -> None:
    def rules(*metadata: Mapping[str, str]) -> list[Rule]:
        return [Rule(f"r{number}", "openai", Matcher(metadata=each)) for number, each in enumerate(metadata)]

    def asked(*metadata: Mapping[str, str], filters: bool = True) -> list[tuple[int, Mapping[str, str]]]:
        return [(len(look.rules), look.metadata) for look in looks(rules(*metadata), filters=filters)]

    assert asked({"a": "1"}, {"a": "1"}, {"b": "1"}) == [(2, {"a": "1"}), (1, {"b": "1"})]
    assert asked({"a": "1"}, {"a": "*"}) == [(2, {})]
    assert asked({"a": "1"}, filters=False) == [(1, {})]
    assert asked({"a": "1"}, {"a": "2"}, {"a": "3"}, {"a": "4"}) == [(4, {})]


async def test_two_rules_that_match_a_job_both_want_it(store: SqlStore) -> None:
    world = World(store, Rule("one", "openai"), Rule("two", "openai"))
    world.add("a")
    await store.upsert_jobs([JobSpec(JobKey("openai", "b"))], START, origin="config")
    world.add("b")
    assert await world.scan() == ["a"]
    assert await store.end_rules(["two"], ["openai"], START) == {"one": 0}
    assert await store.end_rules([], ["openai"], START) == {"two": 1}
    assert [job.key.id for job in await store.jobs()] == ["b"]
