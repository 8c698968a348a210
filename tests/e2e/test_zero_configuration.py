"""Without any configuration: a key and the address of a receiver in the environment are enough to be told."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.processes import LIMIT, Command
from tests.e2e.settings import API_KEY, SLACK_TOKEN, settings, slack, webhook
from watcher.simulator.api import FineTuningApi
from watcher.simulator.receiver import Receiver
from watcher.simulator.script import JobScript, Step


def environment(api: FineTuningApi, receiver: Receiver, watcher: Command) -> dict[str, str]:
    return {
        "OPENAI_API_KEY": API_KEY,
        "OPENAI_BASE_URL": api.base_url,
        "SLACK_WEBHOOK_URL": str(slack(receiver.url)["webhook_url"]),
        "WATCHER_STORE__URL": f"sqlite:///{watcher.database}",
        "WATCHER_POLLING__INTERVAL": "0.1s",
        "WATCHER_LOG__LEVEL": "debug",
    }


async def test_every_job_is_watched_from_now_on_and_told_to_slack(watcher: Command, api: FineTuningApi) -> None:
    api.add_job(JobScript("old", (Step("failed"),)))
    api.add_job(JobScript("going", (Step("running"),), suffix="support-bot"))
    async with Receiver() as receiver, watcher.start("run", env=environment(api, receiver, watcher)) as running:
        said = await running.until_logged("nothing says what to watch, so every job is, from now on")
        await running.until_logged("transition", job="openai/going")
        api.set_status("going", "succeeded")
        await receiver.wait_for(1, LIMIT)
        api.add_job(JobScript("brief", (Step("failed"),)))
        await receiver.wait_for(2, LIMIT)
        await running.stop()

    assert said["sources"] == ["openai"]
    texts = [json.loads(message.body)["text"] for message in receiver.received]
    assert "support-bot" in texts[0]
    assert "succeeded" in texts[0]
    assert "brief" in texts[1]
    assert len(texts) == 2
    assert SLACK_TOKEN in receiver.received[0].path


async def test_a_configuration_with_notifiers_or_rules_says_all_itself(watcher: Command, api: FineTuningApi) -> None:
    async with Receiver() as receiver:
        variables = environment(api, receiver, watcher)
        watcher.configure(settings(api.base_url, watcher.database, watch=[], notifiers={"a": webhook(receiver.url)}))
        shown = json.loads((await watcher.run("config", "show", "--json", env=variables)).out)
        assert list(shown["notifiers"]) == ["a"]
        checked = await watcher.run("config", "check", env=variables)
        assert "no job and no rule is configured" in checked.err


async def test_a_wrong_address_is_told_by_the_name_of_its_variable(watcher: Command) -> None:
    checked = await watcher.run("config", "check", env={"OPENAI_API_KEY": API_KEY, "SLACK_WEBHOOK_URL": "hooks.x"})
    assert checked.code == 2
    assert "environment: SLACK_WEBHOOK_URL: expected an address" in checked.err


async def test_watch_tells_slack_by_a_file_with_its_address(
    watcher: Command, api: FineTuningApi, tmp_path: Path
) -> None:
    api.add_job(JobScript("job", (Step("running", polls=2), Step("succeeded"))))
    async with Receiver() as receiver:
        file = tmp_path / "slack"
        file.write_text(str(slack(receiver.url)["webhook_url"]))
        variables = {"OPENAI_API_KEY": API_KEY, "OPENAI_BASE_URL": api.base_url}
        watched = await watcher.run("watch", "job", "--interval", "0.1s", "--slack-url-file", file, env=variables)
        assert watched.code == 0
        assert ["succeeded" in json.loads(message.body)["text"] for message in receiver.received] == [True]
    missing = await watcher.run("watch", "job", "--slack-url-file", "/nowhere", env=variables)
    assert missing.code == 2
    assert "webhook_url_file: cannot read /nowhere" in missing.err


async def test_the_end_of_fine_tuning_at_openai_is_told(watcher: Command) -> None:
    checked = await watcher.run("config", "check", env={"OPENAI_API_KEY": API_KEY})
    assert (
        "source openai: OpenAI takes no new fine-tuning jobs from 2027-01-06 on; where to read on: https:"
        in checked.err
    )
    watcher.configure(settings("https://api.example.com/v1", watcher.database))
    assert "2027" not in (await watcher.run("config", "check")).err
