"""The settings reach the parts that are made of them."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.doubles import ManualClock, runtime
from tests.loopback import LoopbackReceiver, Reply
from watcher.domain.jobs import ListedJob
from watcher.service.bootstrap import open_source
from watcher.service.source_states import open_source_state
from watcher.settings.validation import load
from watcher.store.sql import SqlStore

JOB = {"name": "accounts/example/dpoJobs/d-1", "state": "JOB_STATE_RUNNING", "createdBy": "user@example.com"}


@pytest.mark.parametrize(
    ("setting", "hidden"), [("", True), ("private_fields = false", True), ("private_fields = true", False)]
)
async def test_private_fields_are_told_only_where_the_settings_ask_for_them(
    setting: str, hidden: bool, tmp_path: Path
) -> None:
    async with LoopbackReceiver() as server:
        server.replies = [Reply(body=json.dumps(JOB).encode())]
        config = tmp_path / "watcher.toml"
        config.write_text(
            '[sources.lab]\nkind = "fireworks"\naccount = "example"\napi_key = "k"\n'
            f'base_url = "{server.url}"\n{setting}\n'
        )
        settings = load(config).sources["lab"]
        async with open_source("lab", settings, runtime(ManualClock())) as source:
            observation = await source.retrieve("dpoJobs/d-1")
    assert observation is not None
    assert ("createdBy" in observation.private_fields) is hidden
    assert server.requests[0].target == "/v1/accounts/example/dpoJobs/d-1"


@pytest.mark.parametrize(("what", "keeps_all"), [('[[jobs]]\nid = "ftjob-1"', False), ("[[watch]]", True)])
async def test_of_listed_jobs_only_the_status_is_kept_where_no_rule_matches_more(
    what: str, keeps_all: bool, tmp_path: Path
) -> None:
    """Ten thousand jobs with what they say of themselves take megabytes."""
    listed = {"id": "ftjob-1", "status": "running", "model": "gpt-4o", "created_at": 1_700_000_000}
    async with LoopbackReceiver() as server, AsyncExitStack() as stack:
        server.replies = [Reply(body=json.dumps({"data": [listed, {**listed, "id": "ftjob-2"}]}).encode())]
        config = tmp_path / "watcher.toml"
        config.write_text(f'[sources.openai]\napi_key = "k"\nbase_url = "{server.url}"\n{what}\n')
        store = SqlStore(f"sqlite:///{tmp_path}/watcher.db")
        state = await open_source_state("openai", load(config), store, runtime(ManualClock()), stack)
        page = await state.source.page()
    first, second = page.jobs.values()
    assert (first == second == ListedJob("running")) is not keeps_all
    assert (first.model == "gpt-4o") is keeps_all
