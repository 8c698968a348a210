"""`watcher retrieve`: the job as the API gave it, or why not."""

from __future__ import annotations

import json
import urllib.request

import pytest

from tests.e2e.processes import Command, Finished
from tests.e2e.settings import API_KEY
from watcher.simulator.api import FineTuningApi
from watcher.simulator.script import Fault, FaultKind, JobScript, Method, Step
from watcher.simulator.server import Reply

JOB = "ftjob-retrieved"
ODD = {"undocumented": [1, 2.50, None], "user_provided_suffix": "caf\u00e9 \U0001f600"}


@pytest.fixture
def job(api: FineTuningApi) -> str:
    api.add_job(
        JobScript(
            JOB,
            (Step("failed", fields=ODD),),
            method=Method.REINFORCEMENT,
            error={"code": "bad\u001b[31m", "message": "line one\nline two", "param": "training_file"},
        )
    )
    return JOB


async def retrieve(watcher: Command, base_url: str, *arguments: object) -> Finished:
    env = {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": API_KEY}
    return await watcher.run("retrieve", *arguments, env=env)


async def test_json_is_byte_for_byte_what_the_api_gave(watcher: Command, job: str) -> None: ...
