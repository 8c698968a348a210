"""One message in Slack tells of a job, and its thread of how it ended, with a picture."""

from __future__ import annotations

import json
from datetime import timedelta

from tests.e2e.processes import Command
from tests.e2e.settings import API_KEY, jobs, settings
from tests.slack_api import TOKEN, Workspace
from watcher.simulator.api import FineTuningApi
from watcher.simulator.script import JobScript, Step


async def test_a_job_in_slack_ends_with_its_curve(watcher: Command, api: FineTuningApi) -> None:
    api.add_job(JobScript("ftjob-1", (Step("running", timedelta(seconds=10)), Step("succeeded")), suffix="bot"))
    async with Workspace() as slack:
        slack_bot = {"kind": "slack", "token": TOKEN, "channel": "#ml", "api_url": f"{slack.url}/api"}
        source = {"base_url": api.base_url, "api_key": API_KEY, "progress": True}
        watcher.configure(
            settings(
                api.base_url,
                watcher.database,
                sources={"openai": source},
                jobs=jobs("ftjob-1"),
                http={"public_url": "https://watcher.example.com"},
                notifiers={"jobs": {**slack_bot, "first_seen": "always"}},
            )
        )
        async with watcher.start("run") as running:
            await running.until(lambda: slack.pictures, "a picture")
            await running.stop()

        [root] = slack.roots()
        assert root.headline == "✅ bot: succeeded"
        told = json.dumps(slack.thread_of(root)[-1].blocks)
        assert all(label in told for label in ("Duration", "Trained tokens", "Train loss", "Fine-tuned model"))
        assert "https://watcher.example.com/jobs/openai/ftjob-1|" in told
        assert slack.pictures[0][3].startswith(b"\x89PNG")
