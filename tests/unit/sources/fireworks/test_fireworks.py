"""What is Fireworks' own: three kinds of jobs, a state beside a status, and lists that lead on to each other."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.doubles import ManualClock, RecordingLog
from watcher.domain.jobs import JobError, JobFacts, JobKey, Progress, ProgressUnit
from watcher.domain.states import JobState
from watcher.errors import ConfigurationError, MalformedResponseError, MissingError
from watcher.plugins.source import SourceContext
from watcher.simulator.api import FineTuningApi
from watcher.simulator.script import DialectName, JobScript, Method, Script, Step
from watcher.sources.fireworks.config import Config
from watcher.sources.fireworks.ids import read_id
from watcher.sources.fireworks.plugin import build
from watcher.sources.fireworks.wire import parse, parse_page

NOW = datetime(2026, 3, 2, 9, 20, tzinfo=UTC)
NAME = "accounts/example/supervisedFineTuningJobs/krj8aa92"


def facts(state: str, **fields: Any) -> JobFacts:
    document = {"name": NAME, "state": state, "outputModel": "accounts/example/models/m", **fields}
    return parse(json.dumps(document).encode(), JobKey("fireworks", "krj8aa92"), NOW).facts


@pytest.mark.parametrize(
    ("text", "job_id"),
    [
        ("krj8aa92", "krj8aa92"),
        (NAME, "krj8aa92"),
        ("supervisedFineTuningJobs/krj8aa92", "krj8aa92"),
        ("accounts/example/dpoJobs/d-1", "dpoJobs/d-1"),
        ("dpoJobs/d-1", "dpoJobs/d-1"),
        ("accounts/example/reinforcementFineTuningJobs/r-1", "reinforcementFineTuningJobs/r-1"),
    ],
)
def test_a_job_is_named_by_its_id_or_its_resource_name(text: str, job_id: str) -> None:
    assert read_id(text) == job_id


def test_a_resource_of_another_kind_is_no_job() -> None:
    with pytest.raises(ValueError, match="supervisedFineTuningJobs/krj8aa92"):
        read_id("accounts/example/batchInferenceJobs/b-1")


async def test_the_three_lists_are_read_one_after_the_other_and_newest_first() -> None:
    methods = [Method.SUPERVISED, Method.DPO, Method.REINFORCEMENT]
    jobs = [JobScript(f"s-{number}", (Step("running"),)) for number in range(250)]
    jobs += [JobScript("dpoJobs/d-1", (Step("running"),), method=Method.DPO)]
    jobs += [JobScript("reinforcementFineTuningJobs/r-1", (Step("failed"),), method=Method.REINFORCEMENT)]
    clock = ManualClock()
    async with FineTuningApi(Script(tuple(jobs), dialect=DialectName.FIREWORKS), clock=clock) as api:
        config = Config.model_validate({"account": "example", "base_url": api.base_url, "api_key": "k"})
        async with build(config, SourceContext("lab", clock, RecordingLog())) as source:
            pages = [await source.page()]
            while pages[-1].after is not None:
                pages.append(await source.page(pages[-1].after))
            listed = {job_id: job.status for page in pages for job_id, job in page.jobs.items()}
            for job in jobs[-3:]:
                observation = await source.retrieve(job.id)
                assert observation is not None
                assert listed[job.id] == observation.status
            with pytest.raises(MissingError):
                await source.retrieve("d-1")
    assert len(pages) == len(methods) + 1
    dpo, reinforcement = "dpoJobs/", "reinforcementFineTuningJobs/"
    assert [page.next_part for page in pages] == [dpo, dpo, reinforcement, None]
    assert [page.after for page in pages[1:]] == [dpo, reinforcement, None]
    assert next(iter(pages[0].jobs)) == "s-249"
    assert listed.keys() == {job.id for job in jobs}


def test_the_status_is_the_state_and_what_is_called_status_is_the_reason() -> None:
    seen = facts("JOB_STATE_FAILED", status={"code": "INVALID_ARGUMENT", "message": "no such file"})
    assert seen.error == JobError("INVALID_ARGUMENT", "no such file")
    assert facts("JOB_STATE_CANCELLED", status={"code": "OK", "message": ""}).error is None
    assert facts("JOB_STATE_RUNNING", status={"code": "UNKNOWN", "message": "slow"}).error is None


def test_other_kinds_keep_their_models_deeper() -> None:
    config = {"baseModel": "base", "outputModel": "made"}
    document = {"name": "accounts/example/dpoJobs/d-1", "state": "JOB_STATE_COMPLETED", "trainingConfig": config}
    seen = parse(json.dumps(document).encode(), JobKey("fireworks", "dpoJobs/d-1"), NOW)
    assert (seen.facts.model, seen.facts.fine_tuned_model, seen.state) == ("base", "made", JobState.SUCCEEDED)


def test_the_job_of_another_kind_is_another_job() -> None:
    body = json.dumps({"name": "accounts/example/dpoJobs/krj8aa92", "state": "JOB_STATE_RUNNING"}).encode()
    with pytest.raises(MalformedResponseError, match="another job"):
        parse(body, JobKey("fireworks", "krj8aa92"), NOW)


def test_times_have_nanoseconds_and_an_end_without_one_is_the_last_change() -> None:
    seen = facts("JOB_STATE_COMPLETED", createTime="2026-03-02T09:00:00.394929376Z", updateTime="2026-03-02T09:20:00Z")
    assert seen.created_at == datetime(2026, 3, 2, 9, 0, 0, 394929, UTC)
    assert seen.finished_at == NOW
    body = {"name": NAME, "state": "x", "createTime": "2026-03-02T09:00:00.394929376Z", "displayName": "mine"}
    page, _ = parse_page(json.dumps({"dpoJobs": None, "supervisedFineTuningJobs": [body]}).encode(), "dpoJobs")
    assert page.jobs == {}
    page, _ = parse_page(json.dumps({"supervisedFineTuningJobs": [body]}).encode(), "supervisedFineTuningJobs")
    assert page.jobs["krj8aa92"].created_at == seen.created_at
    assert page.jobs["krj8aa92"].name == "mine"


@pytest.mark.parametrize(
    ("fields", "percent"),
    [
        ({"epochs": 2, "jobProgress": {"epoch": 0, "percent": 40}}, 20),
        ({"epochs": 2, "jobProgress": {"epoch": 1, "percent": 100}}, 100),
        ({"epochs": 2, "jobProgress": {"epoch": 1}}, 50),
        ({"epochs": 2, "jobProgress": {"epoch": 2, "percent": 2}}, None),
        ({"epochs": 2, "jobProgress": {"epoch": 0, "percent": 0}}, None),
        ({"epochs": 2, "jobProgress": None}, None),
        ({"jobProgress": {"epoch": 0, "percent": 40}}, None),
    ],
)
def test_the_percent_are_those_of_the_epoch(fields: dict[str, Any], percent: int | None) -> None:
    document = {"name": NAME, "state": "JOB_STATE_RUNNING", **fields}
    told = parse(json.dumps(document).encode(), JobKey("fireworks", "krj8aa92"), NOW).progress
    assert told == (Progress(percent, 100, NOW, ProgressUnit.PERCENT) if percent else None)


@pytest.mark.parametrize("base_url", ["https://api.fireworks.ai", "https://api.fireworks.ai/v1/"])
def test_the_version_is_added_once(base_url: str) -> None:
    config = Config.model_validate({"account": "example", "base_url": base_url, "api_key": "k"})
    assert config.connection("lab").url == "https://api.fireworks.ai/v1/accounts/example"


def test_without_a_key_it_is_said_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match=r"source lab: no API key: set FIREWORKS_API_KEY, or api_key_file"):
        Config.model_validate({"account": "example"}).connection("lab")


@pytest.mark.parametrize(
    ("state", "label"),
    [("JOB_STATE_PAUSED", "Paused"), ("PAUSED", "Paused"), ("JOB_STATE_EARLY_STOPPED", "Stopped early")],
)
def test_what_people_have_to_look_into_is_said(state: str, label: str) -> None:
    assert [name for name, _ in facts(state).more] == [label]
    assert facts("JOB_STATE_RUNNING").more == ()
