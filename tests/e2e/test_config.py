"""`watcher config`: mistakes in people's words, all at once, and never a secret."""

from __future__ import annotations

import asyncio
import json
import tomllib

from tests.e2e.processes import Command
from tests.e2e.settings import API_KEY, SLACK_TOKEN, WEBHOOK_SECRET, jobs, settings, slack, webhook

URL = "http://127.0.0.1:9/hooks/finetune"


async def test_three_mistakes_are_told_at_once_with_file_key_and_what_is_expected(watcher: Command) -> None:
    path = watcher.configure(
        settings(
            "https://api.example.com/v1",
            watcher.database,
            polling={"intervall": "30s"},
            jobs=jobs("ftjob-1", "no such id"),
            notifiers={"pager": webhook(URL, secret="whsec_too-short")},
        )
    )
    checked = await watcher.run("config", "check", "--config", path)
    assert (checked.code, checked.out) == (2, "")
    assert len(checked.err.splitlines()) == 3
    for line in checked.err.splitlines():
        assert line.startswith(f"watcher: {path}: ")
    assert "polling.intervall: unknown key; did you mean 'interval'?" in checked.err
    assert "jobs[1].id: got 'no such id', expected a job id" in checked.err
    assert "notifiers.pager.secret: expected whsec_ and base64 of 24 to 64 bytes" in checked.err
    assert "too-short" not in checked.err


async def test_every_command_refuses_a_configuration_with_mistakes_in_the_same_words(watcher: Command) -> None:
    watcher.configure({"polling": {"interval": "soon"}})
    commands = [
        ("run",),
        ("watch", "ftjob-1"),
        ("retrieve", "ftjob-1"),
        ("jobs", "list"),
        ("deliveries", "list"),
        ("notify", "test", "pager"),
        ("config", "show"),
    ]
    refused = await asyncio.gather(*(watcher.run(*command) for command in commands))
    assert {ended.code for ended in refused} == {2}
    assert {ended.out for ended in refused} == {""}
    (told,) = {ended.err for ended in refused}
    assert "config/watcher.toml: polling.interval: got 'soon', expected a duration" in told


async def test_a_right_configuration_is_0(watcher: Command) -> None:
    path = watcher.configure(
        settings("https://api.example.com/v1", watcher.database, jobs=jobs("a", "b"), notifiers={"pager": webhook(URL)})
    )
    checked = await watcher.run("config", "check")
    assert (checked.code, checked.err) == (0, "")
    assert checked.out == f"{path.relative_to(watcher.home)}: OK (2 jobs, 1 notifiers, 1 sources)\n"


async def test_a_missing_key_is_a_mistake_before_anything_starts(watcher: Command) -> None:
    watcher.configure({"jobs": jobs("ftjob-1")})
    checked, started = await asyncio.gather(watcher.run("config", "check"), watcher.run("run"))
    assert (checked.code, started.code) == (2, 2)
    assert checked.err == started.err
    assert "no API key: set OPENAI_API_KEY" in checked.err


async def test_show_masks_secrets_wherever_they_come_from(watcher: Command) -> None:
    (watcher.home / "slack").write_text(slack(URL)["webhook_url"])
    notifiers = {
        "pager": webhook(URL, headers={"Authorization": f"Bearer {API_KEY}"}),
        "chat": {"kind": "slack", "webhook_url_file": str(watcher.home / "slack")},
    }
    watcher.configure(settings("https://api.example.com/v1", watcher.database, notifiers=notifiers))
    env = {"OPENAI_API_KEY": API_KEY, "WATCHER_POLLING__INTERVAL": "7s"}
    as_toml, as_json = await asyncio.gather(
        watcher.run("config", "show", env=env), watcher.run("config", "show", "--json", env=env)
    )
    assert (as_toml.code, as_json.code) == (0, 0)
    shown = json.loads(as_json.out)
    assert tomllib.loads(as_toml.out) == shown
    assert shown["polling"]["interval"] == "7s"
    masks = {
        shown["sources"]["openai"]["api_key"],
        shown["notifiers"]["pager"]["secret"],
        shown["notifiers"]["pager"]["headers"]["Authorization"],
        shown["notifiers"]["chat"]["webhook_url"],
    }
    assert masks == {"********"}
    for secret in (API_KEY, WEBHOOK_SECRET, SLACK_TOKEN):
        assert secret not in as_toml.out + as_toml.err + as_json.out + as_json.err


async def test_schema_is_json_and_needs_no_configuration(watcher: Command) -> None:
    watcher.configure({"polling": {"interval": "soon"}})
    printed = await watcher.run("config", "schema")
    assert (printed.code, printed.err) == (0, "")
    assert {"sources", "polling", "store", "jobs", "notifiers", "log"} <= set(json.loads(printed.out)["properties"])
