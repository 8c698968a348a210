"""What services on one store have watched: what the settings of a living one name, and nothing that none names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from tests.doubles import ManualClock, RecordingLog, runtime
from watcher.domain.discovery_line import Line
from watcher.domain.jobs import JobKey, JobSpec
from watcher.engine.ports import Adoption, RecordedLine
from watcher.service.watched_jobs import OTHERS_COUNT_FOR, WatchedJobs
from watcher.settings.model import Settings
from watcher.settings.validation import load
from watcher.store.living_services import Named
from watcher.store.sql import SqlStore


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with SqlStore(f"sqlite:///{tmp_path}/watcher.db") as opened:
        yield opened


class Services:
    """Services that start, reload and end on one store."""

    def __init__(self, store: SqlStore, clock: ManualClock, directory: Path) -> None:
        self.store = store
        self.clock = clock
        self.log = RecordingLog()
        self._directory = directory
        self._before: dict[str, Settings] = {}

    async def start(self, name: str, *, jobs: Sequence[str] = (), rules: Sequence[str] = ()) -> None:
        """Start a service, or reload it, with these jobs and rules."""
        tables = [f'[[jobs]]\nid = "ftjob-{job}"' for job in jobs] + [f'[[watch]]\nrule = "{rule}"' for rule in rules]
        path = self._directory / "watcher.toml"
        path.write_text("\n".join(['[sources.openai]\napi_key = "k"', *tables]))
        settings = load(path)
        watched = WatchedJobs(self.store, runtime(self.clock, self.log), name)
        await watched.settle(settings, self._before.get(name), ["openai"])
        self._before[name] = settings

    async def let_go(self, name: str, *configured: str) -> None:
        """Do what the maintenance of a service does now and then."""
        keys = frozenset(JobKey("openai", f"ftjob-{job}") for job in configured)
        rules = frozenset(rule.rule for rule in self._before[name].watch if rule.rule)
        watched = WatchedJobs(self.store, runtime(self.clock, self.log), name)
        await watched.let_go(Named(rules, keys), ["openai"], others_seen_since=self.clock() - OTHERS_COUNT_FOR)

    async def adopt(self, rule: str, job: str) -> None:
        """Have a rule bring a job."""
        line = RecordedLine(Line(self.clock(), {}, frozenset(), is_drawn=True), "it", 0)
        spec = JobSpec(JobKey("openai", f"ftjob-{job}"))
        await self.store.adopt(Adoption(rule, "openai", f"rule:{rule}", 10, [spec], line), self.clock())

    async def watched(self) -> list[str]:
        return [job.key.id.removeprefix("ftjob-") for job in await self.store.jobs()]


@pytest.fixture
def services(store: SqlStore, clock: ManualClock, tmp_path: Path) -> Services:
    return Services(store, clock, tmp_path)


async def test_a_job_that_left_the_configuration_while_no_service_ran_is_watched_no_more(services: Services) -> None:
    await services.start("first", jobs=["a", "b"])
    await services.store.upsert_jobs([JobSpec(JobKey("openai", "ftjob-c"))], services.clock(), origin="command")
    await services.store.forget_service("first")
    await services.start("second", jobs=["b"])
    assert await services.watched() == ["b", "c"]
    assert services.log.events("info").count("jobs that no configuration names any more are watched no more") == 1


async def test_what_another_living_service_names_stays(services: Services) -> None:
    await services.start("first", jobs=["a"], rules=["nlp"])
    await services.adopt("nlp", "found")
    await services.start("second", jobs=["b"], rules=["vision"])
    await services.start("first", jobs=["c"], rules=["nlp"])
    assert await services.watched() == ["b", "c", "found"]
    assert await services.store.lines("openai") != {}


async def test_a_rule_ends_with_the_last_service_that_has_it(services: Services) -> None:
    await services.start("first", rules=["nlp"])
    await services.start("second", rules=["nlp"])
    await services.adopt("nlp", "found")
    await services.start("first", jobs=["a"])
    assert await services.watched() == ["a", "found"]
    await services.start("second", jobs=["a"])
    assert await services.watched() == ["a"]


async def test_what_only_a_service_named_that_died_is_let_go_once_that_is_known(services: Services) -> None:
    await services.start("killed", jobs=["a"], rules=["nlp"])
    await services.adopt("nlp", "found")
    await services.start("next", jobs=["b"], rules=["vision"])
    await services.let_go("next", "b")
    assert await services.watched() == ["a", "b", "found"]
    services.clock.move(seconds=OTHERS_COUNT_FOR.total_seconds() + 1)
    await services.let_go("next", "b")
    assert await services.watched() == ["b"]
    assert await services.store.lines("openai") == {}


async def test_a_start_lets_go_of_nothing_that_a_service_names_which_has_not_ended(services: Services) -> None:
    """After an outage of the store the signs of all are old."""
    await services.start("suspended", jobs=["a"], rules=["nlp"])
    await services.adopt("nlp", "found")
    services.clock.move(hours=1)
    await services.start("next", jobs=["b"])
    assert await services.watched() == ["a", "b", "found"]


async def test_beside_a_program_of_before_only_what_this_one_named_is_let_go(services: Services) -> None:
    await services.start("first", jobs=["a", "b"])
    await services.store.forget_service("first")
    await services.adopt("nlp", "found")
    await services.store.note_service("old", "0.9", services.clock() + timedelta(seconds=1))
    await services.start("second", jobs=["b", "c"])
    assert await services.watched() == ["a", "b", "c", "found"]
    await services.start("second", jobs=["b"])
    assert await services.watched() == ["a", "b", "found"]
