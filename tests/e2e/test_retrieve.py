"""`watcher retrieve`: the job as the API gave it, or why not."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import httpx
import pytest

from tests.e2e.processes import LIMIT, Command, Finished
from tests.e2e.settings import API_KEY
from watcher.simulator.api import FineTuningApi
from watcher.simulator.script import Fault, FaultKind, JobScript, Method, Script, Step

JOB = "ftjob-retrieved"
ODD = (
    f'{{ "status":"failed",\n "id": "{JOB}","seed": 1.50, "seed_of_old": 12345678901234567890123,\t'
    '"user_provided_suffix":"café 😀 \\u001b[31m", "error": {"message": "one\\ntwo\\u001b[2J", "code": "bad"} }'
)
"""A job object as no library of ours would write it."""


@pytest.fixture
def job(api: FineTuningApi) -> str:
    """A job with every field, whose training is the kind with the most of them."""
    api.add_job(JobScript(JOB, (Step("running"),), method=Method.REINFORCEMENT))
    return JOB


@pytest.fixture
def odd_job(api: FineTuningApi, job: str) -> str:
    """A job whose object is odd."""
    api.add_fault(Fault(FaultKind.MALFORMED, body=ODD, times=None), job)
    return job


async def retrieve(watcher: Command, api: FineTuningApi, *arguments: object) -> Finished:
    return await watcher.run("retrieve", *arguments, env={"OPENAI_BASE_URL": api.base_url, "OPENAI_API_KEY": API_KEY})


async def test_json_is_byte_for_byte_what_the_api_gave(watcher: Command, api: FineTuningApi, job: str) -> None:
    retrieved = await retrieve(watcher, api, job)
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {API_KEY}"}, trust_env=False) as client:
        given = await client.get(f"{api.base_url}/fine_tuning/jobs/{job}")
    assert retrieved.code == 0
    assert retrieved.out == given.text + "\n"
    assert retrieved.err == ""


async def test_json_keeps_what_reading_and_writing_would_change(
    watcher: Command, api: FineTuningApi, odd_job: str
) -> None:
    assert (await retrieve(watcher, api, odd_job, "--format", "json")).out == ODD + "\n"


async def test_pretty_is_the_same_document_indented_and_harmless(
    watcher: Command, api: FineTuningApi, odd_job: str
) -> None:
    retrieved = await retrieve(watcher, api, odd_job, "--format", "pretty")
    assert retrieved.code == 0
    assert json.loads(retrieved.out) == json.loads(ODD)
    assert retrieved.lines[1] == '  "status": "failed",'
    assert "café 😀" in retrieved.out
    assert "\x1b" not in retrieved.out


async def test_text_is_the_facts_one_a_line(watcher: Command, api: FineTuningApi, odd_job: str) -> None:
    retrieved = await retrieve(watcher, api, odd_job, "--format", "text")
    assert retrieved.code == 0
    facts = dict(line.split(maxsplit=1) for line in retrieved.lines if not line.startswith("Error code"))
    assert facts == {"Status": "failed", "Job": JOB, "Error": r"one / two\x1b[2J"}


async def test_the_id_may_be_given_as_the_official_command_takes_it(
    watcher: Command, api: FineTuningApi, job: str
) -> None:
    retrieved = await retrieve(watcher, api, "--fine-tuning-job-id", job)
    assert (retrieved.code, json.loads(retrieved.out)["id"]) == (0, job)


@pytest.mark.parametrize("arguments", [(), (JOB, "--fine-tuning-job-id", JOB)], ids=["none", "both"])
async def test_there_must_be_one_id(watcher: Command, api: FineTuningApi, arguments: tuple[str, ...]) -> None:
    refused = await retrieve(watcher, api, *arguments)
    assert (refused.code, refused.out) == (2, "")
    assert "give one job ID" in refused.err


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (Fault(status_code=401, error={"message": "Incorrect API key provided."}), 4, "HTTP 401"),
        (Fault(status_code=404, error={"message": "Could not find fine tune"}), 5, "Could not find fine tune"),
        (Fault(status_code=503, times=None, headers={"retry-after-ms": "20"}), 6, "The server is overloaded"),
        (Fault(status_code=400, times=None), 6, "HTTP 400"),
        (Fault(FaultKind.REDIRECT, times=None), 6, "a redirect to /login"),
    ],
    ids=["rejected", "missing", "overloaded", "bad request", "redirect"],
)
async def test_why_not_is_in_the_exit_code_and_in_words(
    watcher: Command, api: FineTuningApi, job: str, fault: Fault, code: int, words: str
) -> None:
    api.add_fault(fault, job)
    refused = await retrieve(watcher, api, job)
    assert (refused.code, refused.out) == (code, "")
    (line,) = refused.err.splitlines()
    assert line.startswith(f"watcher: {job}: ")
    assert words in line
    assert "(req_" in line
    assert ("is OPENAI_API_KEY the right one?" in line) is (code == 4)
    logged = await retrieve(watcher, api, job, "--log-format", "json")
    if logged.code:
        assert logged.log[-1]["event"] == "not retrieved"
        assert logged.log[-1]["request_id"].startswith("req_")


async def test_the_key_may_be_given_as_the_official_command_takes_it_with_a_warning(
    watcher: Command,
) -> None:
    key = "sk-given-on-the-command-line"
    script = Script(jobs=(JobScript(JOB, (Step("running"),)),), api_key=key)
    async with FineTuningApi(script) as api:
        retrieved = await watcher.run("retrieve", JOB, "--base-url", api.base_url, "--api-key", key)
        refused = await watcher.run("retrieve", JOB, "--base-url", api.base_url, "--api-key", " ")
    assert (retrieved.code, json.loads(retrieved.out)["id"]) == (0, JOB)
    assert retrieved.err.startswith("watcher: --api-key: every user of this machine can read it")
    assert (refused.code, refused.out) == (2, "")


async def test_the_address_of_a_page_of_the_job_names_the_job(watcher: Command, api: FineTuningApi, job: str) -> None:
    retrieved = await retrieve(watcher, api, f"https://platform.example.com/finetune/{job}?filter=all", "--json")
    assert (retrieved.code, json.loads(retrieved.out)["id"]) == (0, job)
    refused = await retrieve(watcher, api, "https://platform.example.com/finetune")
    assert refused.code == 2
    assert "give the id alone" in " ".join(refused.err.replace("│", " ").split())


async def test_json_stays_json_where_the_output_has_another_encoding(
    watcher: Command, api: FineTuningApi, odd_job: str
) -> None:
    env = {"OPENAI_BASE_URL": api.base_url, "OPENAI_API_KEY": API_KEY, "PYTHONIOENCODING": "latin-1"}
    retrieved = await watcher.run("retrieve", odd_job, env=env | {"PYTHONIOENCODING": "ascii"})
    assert retrieved.code == 0
    assert json.loads(retrieved.out) == json.loads(ODD)


async def test_a_missing_key_is_2(watcher: Command, job: str) -> None:
    refused = await watcher.run("retrieve", job)
    assert (refused.code, refused.out) == (2, "")
    assert "no API key: set OPENAI_API_KEY" in refused.err


async def test_the_readme_s_example_from_python_works(api: FineTuningApi) -> None:
    api.add_job(JobScript("ftjob-abc123", (Step("running"),)))
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    example = readme.partition("```python\n")[2].partition("```")[0]
    env = os.environ | {"OPENAI_BASE_URL": api.base_url, "OPENAI_API_KEY": API_KEY}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", example), env=env, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(LIMIT.total_seconds()):
        output, _ = await process.communicate()
    assert output.decode() == "running\n"
