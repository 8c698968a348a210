"""`watcher watch` without ids: the jobs that run now, the newest one, those with a label."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.e2e.processes import LIMIT, Command
from tests.e2e.settings import API_KEY, settings
from watcher.simulator.api import FineTuningApi
from watcher.simulator.script import DialectName, Fault, JobScript, Script, Step

POLLS = 4
"""How often a status is told before the next one begins."""


def a_job(job_id: str, *statuses: str, team: str = "nlp") -> JobScript:
    steps = tuple(Step(status, polls=POLLS) for status in statuses[:-1])
    return JobScript(job_id, (*steps, Step(statuses[-1])), suffix=f"bot-{job_id}", metadata={"team": team})


@pytest.fixture
def environment(api: FineTuningApi) -> dict[str, str]:
    return {"OPENAI_API_KEY": API_KEY, "OPENAI_BASE_URL": api.base_url}


async def test_all_jobs_that_run_now_are_waited_for(
    watcher: Command, api: FineTuningApi, environment: dict[str, str]
) -> None:
    jobs = [a_job("old", "failed"), a_job("a", "running", "succeeded"), a_job("b", "queued", "running", "failed")]
    for job in jobs:
        api.add_job(job)
    watched = await watcher.run("watch", "--all", "--interval", "0.1s", "--json", env=environment)
    ends = {row["data"]["id"]: row["data"]["status"] for row in map(json.loads, watched.out.splitlines())}
    assert (watched.code, ends) == (1, {"a": "succeeded", "b": "failed"})
    assert json.loads(watched.out.splitlines()[0])["data"]["name"].startswith("bot-")


async def test_a_label_and_the_newest_job_choose(
    watcher: Command, api: FineTuningApi, environment: dict[str, str]
) -> None:
    api.add_job(a_job("theirs", "running", team="vision"))
    api.add_job(a_job("ours", "running", "succeeded"))
    labelled, newest = await asyncio.gather(
        watcher.run("watch", "--label", "team=n*", "--interval", "0.1s", "--json", env=environment),
        watcher.run("watch", "--latest", "--interval", "0.1s", "--json", env=environment),
    )
    for watched in (labelled, newest):
        assert watched.code == 0
        assert {json.loads(line)["data"]["id"] for line in watched.out.splitlines()} == {"ours"}


async def test_the_newest_job_may_have_ended(watcher: Command, api: FineTuningApi, environment: dict[str, str]) -> None:
    api.add_job(a_job("ended", "failed"))
    assert (await watcher.run("watch", "--latest", env=environment)).code == 1


async def test_the_variables_of_one_other_service_are_enough(watcher: Command) -> None:
    script = Script((a_job("ft-1", "running", "succeeded"),), api_key=API_KEY, dialect=DialectName.TOGETHER)
    async with FineTuningApi(script) as api:
        environment = {"TOGETHER_API_KEY": API_KEY, "TOGETHER_BASE_URL": api.base_url}
        by_id = await watcher.run("watch", "ft-1", "--interval", "0.1s", "--json", env=environment)
        newest = await watcher.run("watch", "--latest", env=environment)
    assert (by_id.code, newest.code) == (0, 0)
    assert json.loads(by_id.out.splitlines()[-1])["data"]["native_status"] == "completed"


async def test_where_nothing_is_found_the_exit_code_says_so(
    watcher: Command, api: FineTuningApi, environment: dict[str, str]
) -> None:
    nothing, no_such, none = await asyncio.gather(
        watcher.run("watch", "--all", env=environment),
        watcher.run("watch", "--label", "team=nlp", env=environment),
        watcher.run("watch", "--latest", env=environment),
    )
    assert (nothing.code, no_such.code, none.code) == (0, 5, 5)
    assert "openai lists no job that runs" in nothing.err
    api.add_fault(Fault(status_code=401, times=1))
    rejected = await watcher.run("watch", "--all", env=environment, within=LIMIT)
    assert rejected.code == 4
    assert "the list cannot be read" in rejected.err


async def test_the_list_of_a_source_of_the_configuration_is_looked_at(watcher: Command, api: FineTuningApi) -> None:
    api.add_job(a_job("a", "succeeded"))
    given = settings(api.base_url, watcher.database)
    given["sources"]["proxy"] = {"base_url": api.base_url, "api_key": API_KEY}
    watcher.configure(given)
    watched = await watcher.run("watch", "--latest", "--source", "proxy", "--json")
    assert json.loads(watched.out)["data"]["source"] == "proxy"
    unknown = await watcher.run("watch", "--latest", "--source", "prox")
    assert unknown.code == 2
    assert "no source is named 'prox'; the configuration has: openai, proxy" in unknown.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give either the ids of jobs, or --all, --latest or --label"),
        (("a", "--all"), "give either the ids of jobs, or --all, --latest or --label"),
        (("--all", "--latest"), "give either --all or --latest, not both"),
        (("a", "--source", "openai"), "an id names its source as SOURCE/ID"),
        (("--label", "team"), "'team' is not a label: expected KEY=VALUE"),
    ],
)
async def test_a_command_that_means_no_jobs_or_jobs_in_two_ways_is_refused(
    arguments: tuple[str, ...], words: str, watcher: Command, environment: dict[str, str]
) -> None:
    refused = await watcher.run("watch", *arguments, env=environment)
    assert refused.code == 2
    assert words in " ".join(refused.err.split())
