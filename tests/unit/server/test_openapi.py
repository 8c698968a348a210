"""The OpenAPI document, and that what is served keeps to it."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case

from tests.doubles import START, ManualClock, RecordingLog, planned
from tests.unit.server.running_server import TOKEN, a_health_snapshot, find_job, see, watch
from watcher.domain.conditions import Condition
from watcher.domain.deliveries import DeliveryState
from watcher.domain.jobs import JobKey
from watcher.domain.silences import Silence
from watcher.domain.telemetry import MetricPoint
from watcher.engine.ports import Finding
from watcher.server.app import Access, make_app
from watcher.server.context import ServerContext
from watcher.server.listening import Listen
from watcher.server.metrics import PrometheusTelemetry
from watcher.server.openapi import document
from watcher.server.serving import serving
from watcher.store.sql import SqlStore

AUTHORISED = {"Authorization": f"Bearer {TOKEN}"}
KEY = JobKey("openai", "ftjob-1")
UNREACHABLE = Condition(
    "source/openai/reach",
    "unreachable",
    "watcher.source.unreachable",
    "openai",
    is_good=False,
    facts=(("Source", "openai"),),
    data={"source": "openai"},
)


class _Service(threading.Thread):
    """Serves a store with some jobs on a thread of its own: schemathesis does not speak asyncio."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self._path = path
        self._loop = asyncio.new_event_loop()
        self._is_ready = threading.Event()
        self._over = asyncio.Event()
        self.url = ""
        self.log = RecordingLog()

    def __enter__(self) -> Self:
        self.start()
        assert self._is_ready.wait(10)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self.join(10)

    def run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        telemetry = PrometheusTelemetry()
        async with SqlStore(f"sqlite:///{self._path}", telemetry) as store:
            await watch(store, *(f"ftjob-{number}" for number in range(3)))
            await see(store, "ftjob-1", "queued", "paused", "succeeded", recipients=("pager", "chat"))
            await store.record_findings([Finding(UNREACHABLE, START, planned("pager"))], "w1")
            await store.record_points(KEY, [MetricPoint("train_loss", 1, 0.5, START)], None, START)
            await store.add_silence(Silence("new", START + timedelta(days=365)), START)
            context = ServerContext(store, ManualClock(), self.log, "1.2.3", a_health_snapshot, find_job)
            async with serving(make_app(context, telemetry, Access(TOKEN)), Listen("127.0.0.1", 0), self.log) as listen:
                self.url = f"http://{listen}"
                self._is_ready.set()
                await self._over.wait()


@pytest.fixture(scope="module")
def service(ready_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Service]:
    path = tmp_path_factory.mktemp("served") / "watcher.db"
    shutil.copyfile(ready_file, path)
    with _Service(path) as running:
        yield running


DOCUMENT = document("1.2.3", ["openai"], has_token=True)
api = schemathesis.openapi.from_dict(DOCUMENT)


@api.parametrize()
@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_what_is_served_keeps_to_the_document(case: Case[Any], service: _Service) -> None:
    case.call_and_validate(base_url=service.url, headers=AUTHORISED)
    assert service.log.events("exception") == []


def test_a_job_with_its_history_keeps_to_the_document(service: _Service) -> None:
    page = api["/api/v1/jobs/{source}/{id}"]["GET"]
    case = page.Case(path_parameters={"source": "openai", "id": "ftjob-1"})
    assert case.call_and_validate(base_url=service.url, headers=AUTHORISED).status_code == 200


@pytest.mark.parametrize(
    ("path", "schema", "rows_in"),
    [
        ("/api/v1/jobs", "Job", "data"),
        ("/api/v1/jobs/openai/ftjob-1", "Transition", "history"),
        ("/api/v1/jobs/openai/ftjob-1", "MetricPoint", "metrics"),
        ("/api/v1/metrics/openai/ftjob-1", "MetricPoint", "data"),
        ("/api/v1/deliveries", "Delivery", "data"),
        ("/api/v1/silences", "Silence", "data"),
    ],
)
def test_a_row_has_all_that_its_schema_names_and_nothing_else(
    service: _Service, path: str, schema: str, rows_in: str
) -> None:
    properties = DOCUMENT["components"]["schemas"][schema]["properties"]
    rows = httpx.get(f"{service.url}{path}", headers=AUTHORISED, trust_env=False).json()[rows_in]
    assert rows
    for row in rows:
        assert row.keys() == properties.keys()


def test_a_delivery_of_a_condition_keeps_to_the_document(service: _Service) -> None:
    page = api["/api/v1/deliveries"]["GET"]
    answer = page.Case(query={"notifier": "pager"}).call_and_validate(base_url=service.url, headers=AUTHORISED)
    assert None in [row["source"] for row in answer.json()["data"]]


def test_the_document_is_valid_and_served(service: _Service) -> None:
    api.validate()
    answer = httpx.get(f"{service.url}/openapi.json", headers=AUTHORISED, trust_env=False)
    assert answer.json() == DOCUMENT


@pytest.mark.parametrize("has_token", [True, False])
def test_the_document_says_what_needs_the_token(has_token: bool) -> None:
    needed = {
        f"{method} {path}": operation["security"]
        for path, methods in document("1", [], has_token=has_token)["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
    }
    always = {
        *("post /api/v1/jobs", "delete /api/v1/jobs/{source}/{id}"),
        *("post /api/v1/silences", "delete /api/v1/silences/{id}"),
    }
    never = {"get /livez", "get /readyz", "post /hooks/{source}"}
    assert {what for what, security in needed.items() if security == []} == (
        never if has_token else set(needed) - always
    )


def test_the_document_knows_every_state_of_a_delivery() -> None:
    described = document("1", [], has_token=True)["components"]["schemas"]["Delivery"]["properties"]["state"]
    assert described == {"enum": [str(state) for state in DeliveryState]}
