"""Every kind of source, with settings full of secrets, ready to be tried against a server that does as it is told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.contract.sources.clouds import CLOUDS
from tests.contract.sources.trial import KEY, Json, Trial
from tests.doubles import ManualClock, RecordingLog
from tests.loopback import LoopbackReceiver, Reply
from tests.third_party import install
from watcher.domain.states import JobState
from watcher.plugins import registry
from watcher.plugins.source import Source, SourceContext

THIRD_PARTY = Path(__file__).parent / "third_party"
SAMPLES = Path(__file__).parent / "samples"
JOB = "job-1"
TIMEOUT = timedelta(seconds=10)


def openai_job(job_id: str, status: str) -> Json:
    return {"object": "fine_tuning.job", "id": job_id, "status": status, "model": "gpt-4o-mini-2024-07-18"}


def openai_page(jobs: Sequence[Json], after: str | None) -> Json:
    return {"object": "list", "data": list(jobs), "has_more": after is not None}


OPENAI_EVENTS = {
    "data": [{"id": "e", "created_at": 1772442300, "type": "metrics", "data": {"step": 24, "total_steps": 72}}]
}
OPENAIS_WORDS = {
    "validating_files": JobState.VALIDATING,
    "queued": JobState.QUEUED,
    "running": JobState.RUNNING,
    "pausing": JobState.PAUSED,
    "paused": JobState.PAUSED,
    "resuming": JobState.PAUSED,
    "succeeded": JobState.SUCCEEDED,
    "failed": JobState.FAILED,
    "cancelled": JobState.CANCELLED,
}
WORDS_OF_BATCHES = {
    "validating": JobState.VALIDATING,
    "in_progress": JobState.RUNNING,
    "finalizing": JobState.RUNNING,
    "completed": JobState.SUCCEEDED,
    "expired": JobState.FAILED,
}
OTHER_WORDS = {
    **WORDS_OF_BATCHES,
    "created": JobState.PENDING,
    "pending": JobState.PENDING,
    "notRunning": JobState.QUEUED,
    "validated": JobState.QUEUED,
    "started": JobState.RUNNING,
    "success": JobState.SUCCEEDED,
    "error": JobState.FAILED,
    "failed_validation": JobState.FAILED,
    "canceled": JobState.CANCELLED,
}
"""Of services at OpenAI's paths."""
OPENAI = Trial(
    "openai",
    lambda url: {"base_url": f"{url}/v1", "api_key": KEY},
    openai_job,
    openai_page,
    "/v1/fine_tuning/jobs",
    {**OPENAIS_WORDS, **OTHER_WORDS},
    events=OPENAI_EVENTS,
    has_openais_words=True,
    samples={"nebius-running": ("running", JobState.RUNNING)},
)
NEBIUS = replace(OPENAI, kind="nebius")
BEDROCK_MANTLE = replace(OPENAI, kind="bedrock-mantle", samples={})
LITELLM = replace(
    OPENAI,
    kind="litellm",
    settings=lambda url: {"base_url": f"{url}/v1?custom_llm_provider=azure", "api_key": KEY},
    query="custom_llm_provider=azure",
    events=None,
    samples={},
)
AZURE = Trial(
    "azure",
    lambda url: {"endpoint": url, "api_key": KEY},
    openai_job,
    openai_page,
    "/openai/v1/fine_tuning/jobs",
    {
        **OPENAIS_WORDS,
        **WORDS_OF_BATCHES,
        "created": JobState.PENDING,
        "pending": JobState.PENDING,
        "notRunning": JobState.QUEUED,
        "canceling": JobState.UNKNOWN,
        "canceled": JobState.CANCELLED,
    },
    events=OPENAI_EVENTS,
    has_openais_words=True,
    samples={
        "azure-pending": ("pending", JobState.PENDING),
        "azure-pending-method": ("pending", JobState.PENDING),
        "azure-validating_files": ("validating_files", JobState.VALIDATING),
        "azure-succeeded": ("succeeded", JobState.SUCCEEDED),
        "azure-succeeded-nulls": ("succeeded", JobState.SUCCEEDED),
        "azure-batch-validating": ("validating", JobState.VALIDATING),
    },
)
TOGETHER = Trial(
    "together",
    lambda url: {"base_url": f"{url}/v1", "api_key": KEY},
    lambda job_id, status: {"id": job_id, "status": status, "model_output_name": "example/named-from-the-beginning"},
    lambda jobs, _after: {"data": list(jobs)},
    "/v1/fine-tunes",
    {
        "pending": JobState.QUEUED,
        "queued": JobState.QUEUED,
        "running": JobState.RUNNING,
        "compressing": JobState.RUNNING,
        "uploading": JobState.RUNNING,
        "cancel_requested": JobState.UNKNOWN,
        "completed": JobState.SUCCEEDED,
        "error": JobState.FAILED,
        "user_error": JobState.FAILED,
        "cancelled": JobState.CANCELLED,
    },
    pages=False,
    events={"data": [{"created_at": "2026-03-02T09:05:00Z", "type": "epoch_complete", "step": 24, "total_steps": 72}]},
    samples={
        "together-pending": ("pending", JobState.QUEUED),
        "together-running": ("running", JobState.RUNNING),
        "together-completed": ("completed", JobState.SUCCEEDED),
        "together-error": ("error", JobState.FAILED),
        "together-user_error": ("user_error", JobState.FAILED),
    },
)
MISTRAL = Trial(
    "mistral",
    lambda url: {"base_url": f"{url}/v1", "api_key": KEY},
    lambda job_id, status: {"id": job_id, "status": status, "object": "job"},
    lambda jobs, _after: {"data": list(jobs), "total": len(jobs), "object": "list"},
    "/v1/fine_tuning/jobs",
    {
        "QUEUED": JobState.QUEUED,
        "VALIDATING": JobState.VALIDATING,
        "VALIDATED": JobState.QUEUED,
        "STARTED": JobState.RUNNING,
        "RUNNING": JobState.RUNNING,
        "CANCELLATION_REQUESTED": JobState.UNKNOWN,
        "SUCCESS": JobState.SUCCEEDED,
        "FAILED": JobState.FAILED,
        "FAILED_VALIDATION": JobState.FAILED,
        "CANCELLED": JobState.CANCELLED,
    },
    pages=False,
    events={"hyperparameters": {"training_steps": 72}, "checkpoints": [{"step_number": 24, "created_at": 1772442300}]},
    events_path="",
    samples={
        "mistral-QUEUED": ("QUEUED", JobState.QUEUED),
        "mistral-VALIDATED": ("VALIDATED", JobState.QUEUED),
        "mistral-RUNNING": ("RUNNING", JobState.RUNNING),
        "mistral-SUCCESS": ("SUCCESS", JobState.SUCCEEDED),
        "mistral-FAILED": ("FAILED", JobState.FAILED),
    },
    tells_why=False,
)
LOCALAI = Trial(
    "localai",
    lambda url: {"base_url": url, "api_key": KEY},
    lambda job_id, status: {"id": job_id, "status": status, "message": ""},
    lambda jobs, _after: list(jobs),
    "/api/fine-tuning/jobs",
    {
        "queued": JobState.QUEUED,
        "loading_model": JobState.RUNNING,
        "loading_dataset": JobState.RUNNING,
        "training": JobState.RUNNING,
        "saving": JobState.RUNNING,
        "completed": JobState.SUCCEEDED,
        "failed": JobState.FAILED,
        "stopped": JobState.CANCELLED,
    },
    pages=False,
    samples={"localai-training": ("training", JobState.RUNNING)},
)
HTTP = Trial(
    "http",
    lambda url: {
        "url": f"{url}/api/runs/{{id}}",
        "api_key": KEY,
        "status_path": "run.phase",
        "id_path": "run.name",
        "states": {"WAITING": "queued", "BUSY": "running", "DONE": "succeeded", "BROKEN": "failed"},
        "list": {
            "url": f"{url}/api/runs",
            "jobs_path": "runs",
            "next_path": "next",
            "next_parameter": "token",
        },
    },
    lambda job_id, status: {"run": {"name": job_id, "phase": status}},
    lambda jobs, after: {"runs": list(jobs), "next": after},
    "/api/runs",
    {
        "WAITING": JobState.QUEUED,
        "BUSY": JobState.RUNNING,
        "DONE": JobState.SUCCEEDED,
        "BROKEN": JobState.FAILED,
    },
)
FORGE = Trial(
    "forge",
    lambda url: {"url": f"{url}/v3", "api_key": KEY},
    lambda job_id, status: {"name": f"forges/main/runs/{job_id}", "phase": status},
    lambda jobs, after: {"runs": list(jobs), "next": after},
    "/v3/runs",
    {"WAITING": JobState.QUEUED, "FORGING": JobState.RUNNING, "FORGED": JobState.SUCCEEDED},
    has_short_ids=True,
)
TRIALS = [OPENAI, NEBIUS, BEDROCK_MANTLE, LITELLM, AZURE, TOGETHER, MISTRAL, LOCALAI, HTTP, FORGE, *CLOUDS]

every_kind = pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.kind)


@dataclass(frozen=True)
class World:
    """What a source is made of."""

    server: LoopbackReceiver
    log: RecordingLog
    clock: ManualClock
    slept: list[float]
    hidden: list[str] = field(default_factory=list)

    def answer(self, *documents: Json | Sequence[Json] | Reply) -> None:
        """Let the server forget its requests, and answer with these in turn, the last one for ever."""
        self.server.answer(
            *(given if isinstance(given, Reply) else Reply(body=json.dumps(given).encode()) for given in documents)
        )

    def paths(self) -> list[str]:
        """Return the paths that were asked for."""
        return [received.target.partition("?")[0] for received in self.server.requests]


Make = Callable[..., AbstractAsyncContextManager[Source]]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the third-party package, as its users would, into a directory of its own."""
    return install(THIRD_PARTY, tmp_path_factory.mktemp("site"))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with LoopbackReceiver() as server:
        yield World(server, RecordingLog(), ManualClock(), [])


@pytest.fixture
def make(site: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Build sources that ask the server, through the registry."""
    monkeypatch.syspath_prepend(str(site))

    async def sleep(seconds: float) -> None:
        world.slept.append(seconds)

    def build(trial: Trial, timeout: timedelta = TIMEOUT, *, shows_addresses: bool = False, **settings: Any) -> Source:
        plugin = registry.sources.plugin(trial.kind)
        config = plugin.config.model_validate({**trial.settings(world.server.url), **settings})
        context = SourceContext(
            *("lab", world.clock, world.log, timeout),
            concurrency=8,
            sleep=sleep,
            hide_secret=world.hidden.append,
            event_word=plugin.event_word,
            private_fields=() if shows_addresses else plugin.private_fields,
            shows_addresses=shows_addresses,
        )
        return plugin.build(config, context)

    return build
