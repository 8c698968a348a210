"""`watcher config`: mistakes in people's words, all at once, and never a secret."""

from __future__ import annotations

import asyncio
import json
import os
import tomllib

import pytest

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
    assert checked.out == f"{path.relative_to(watcher.home)}: OK (2 jobs, 0 rules, 1 notifier, 1 source)\n"


async def test_a_missing_key_is_a_mistake_before_anything_starts(watcher: Command) -> None:
    watcher.configure({"jobs": jobs("ftjob-1"), "notifiers": {"screen": {"kind": "stdout"}}})
    checked, started = await asyncio.gather(watcher.run("config", "check"), watcher.run("run"))
    assert (checked.code, started.code) == (2, 2)
    assert checked.err == started.err
    assert "no API key: set OPENAI_API_KEY" in checked.err


async def test_what_would_be_watched_or_told_to_nobody_is_said(watcher: Command) -> None:
    watcher.configure({"sources": {"openai": {"base_url": "http://127.0.0.1:9/v1"}}})
    checked = await watcher.run("config", "check")
    assert checked.code == 0
    assert checked.err.splitlines() == [
        "watcher: no job and no rule is configured: nothing is watched but what `watcher jobs add` adds",
        "watcher: no notifier is configured: no alert would be sent",
    ]
    as_json = json.loads((await watcher.run("config", "check", "--json")).out)
    assert (as_json["ok"], as_json["jobs"], len(as_json["notes"])) == (True, 0, 2)
    async with watcher.start("run") as running:
        await running.until_logged("no notifier is configured: no alert would be sent")
        await running.until_logged(
            "no job and no rule is configured: nothing is watched but what `watcher jobs add` adds"
        )
        await running.until_logged("watching")
        assert (await running.stop()).code == 0


async def test_json_tells_mistakes_to_programs(watcher: Command) -> None:
    watcher.configure({"polling": {"interval": "soon"}})
    checked = await watcher.run("config", "check", "--json")
    document = json.loads(checked.out)
    assert (checked.code, document["ok"], len(document["mistakes"])) == (2, False, 1)


async def test_without_a_configuration_it_is_said_where_it_was_looked_for(watcher: Command) -> None:
    checked = await watcher.run("config", "check", env={"OPENAI_API_KEY": API_KEY})
    assert checked.code == 0
    places = "$WATCHER_CONFIG, ./watcher.toml, ./config/watcher.toml, /etc/watcher/watcher.toml"
    assert f"there is no configuration file; looked for {places}" in checked.err


async def test_a_file_beside_the_user_is_found(watcher: Command) -> None:
    (watcher.home / "watcher.toml").write_text('[sources.openai]\nbase_url = "http://127.0.0.1:9/v1"\n')
    checked = await watcher.run("config", "check")
    assert checked.out.startswith("watcher.toml: OK (")


async def test_words_of_other_services_are_noted_and_not_refused(watcher: Command) -> None:
    notifiers = {"screen": {"kind": "stdout", "statuses": ["canceled", "failed"]}}
    watcher.configure(
        settings("http://127.0.0.1:9/v1", watcher.database, jobs=jobs("a"), notifiers=notifiers)
        | {"supervision": {"stuck_after": {"training": "1h"}}}
    )
    checked = await watcher.run("config", "check")
    assert checked.code == 0
    assert (
        "notifiers.screen.statuses: 'canceled' matches that word of a service only; 'cancelled' matches" in checked.err
    )
    assert "supervision.stuck_after.training: no status 'training' is known" in checked.err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"sk-one\nsk-two\n",
            "sources.x.api_key_file: the content of the file: expected printable ASCII without spaces",
        ),
        (b"\xef\xbb\xbf" + API_KEY.encode(), None),
    ],
    ids=["two lines", "byte order mark"],
)
async def test_the_content_of_a_secret_file_is_judged_as_such(
    watcher: Command, content: bytes, words: str | None
) -> None:
    (watcher.home / "key").write_bytes(content)
    watcher.configure({"sources": {"x": {"base_url": "http://127.0.0.1:9/v1", "api_key_file": "key"}}})
    checked = await watcher.run("config", "check")
    assert checked.code == (2 if words else 0)
    assert (words or "") in checked.err
    assert "got a table" not in checked.err


async def test_a_blank_key_is_none_for_every_command(watcher: Command) -> None:
    env = {"OPENAI_API_KEY": " "}
    for arguments in (("config", "check"), ("run",), ("watch", "ftjob-1"), ("retrieve", "ftjob-1")):
        ended = await watcher.run(*arguments, env=env)
        assert (arguments, ended.code) == (arguments, 2)
        assert "source openai: no API key: set OPENAI_API_KEY" in ended.err
        assert ("--api-key-file" in ended.err) is (arguments[0] in {"watch", "retrieve"})


async def test_an_address_of_a_store_that_cannot_be_one_is_refused(watcher: Command) -> None:
    watcher.configure(
        {"sources": {"x": {"base_url": "http://127.0.0.1:9/v1"}}, "store": {"url": "postgresql://u:p@h:port/db"}}
    )
    assert (await watcher.run("config", "check")).code == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user that nobody knows")
@pytest.mark.parametrize("command", [("jobs", "list"), ("config", "check"), ("run",)], ids=" ".join)
async def test_a_user_without_a_home_is_told_what_to_set(watcher: Command, command: tuple[str, ...]) -> None:
    watcher.home.chmod(0o755)
    # Where the coverage of this process is measured, the stranger's is not: it may not write beside the code.
    unset = ("-u", "HOME", "-u", "COVERAGE_PROCESS_CONFIG", "-u", "COVERAGE_PROCESS_START")
    stranger = ("env", *unset, "setpriv", "--reuid", "54321", "--clear-groups")
    env = {"OPENAI_API_KEY": API_KEY}
    refused = await watcher.run(*command, prefix=stranger, env=env)
    assert (refused.code, refused.out) == (2, "")
    assert "there is no home directory to put a database into: set store.url, or HOME" in refused.err


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
    assert masks == {"***"}
    for secret in (API_KEY, WEBHOOK_SECRET, SLACK_TOKEN):
        assert secret not in as_toml.out + as_toml.err + as_json.out + as_json.err


async def test_schema_is_json_and_needs_no_configuration(watcher: Command) -> None:
    watcher.configure({"polling": {"interval": "soon"}})
    printed = await watcher.run("config", "schema")
    assert (printed.code, printed.err) == (0, "")
    assert {"sources", "polling", "store", "jobs", "notifiers", "log"} <= set(json.loads(printed.out)["properties"])
