"""The settings reach the parts that are made of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.doubles import ManualClock, runtime
from tests.loopback import LoopbackReceiver, Reply
from watcher.service.bootstrap import open_source
from watcher.settings.validation import load

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
