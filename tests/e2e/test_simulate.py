"""`watcher simulate` and `watcher demo`: the API without the API."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from signal import SIGINT, SIGTERM, Signals

import pytest

from tests.e2e.processes import Command
from tests.e2e.settings import API_KEY
from tests.e2e.terminal import Terminal
from tests.e2e.test_live_view import until
from watcher.simulator.api import FineTuningApi

SCRIPT = f"""
api_key = "{API_KEY}"
[[jobs]]
id = "ftjob-simulated"
steps = [{{ status = "running", polls = 1 }}, {{ status = "succeeded" }}]
"""
WRONG_SCRIPT = """
[[jobs]]
id = "a b"
steps = [{ status = "running" }, { status = "succeeded" }]
[[faults]]
kind = "hung"
"""


@pytest.fixture
def script(watcher: Command) -> Path:
    path = watcher.home / "script.toml"
    path.write_text(SCRIPT)
    return path


@pytest.mark.parametrize("number", [SIGINT, SIGTERM])
async def test_it_prints_its_base_url_and_serves_the_script_until_a_signal(
    watcher: Command, script: Path, unused_tcp_port: int, number: Signals
) -> None:
    async with watcher.start("simulate", script, "--port", unused_tcp_port) as simulating:
        (base_url,) = await simulating.until_written()
        assert base_url == f"http://127.0.0.1:{unused_tcp_port}/v1"
        env = {"OPENAI_API_KEY": API_KEY}
        watched = await watcher.run("watch", "ftjob-simulated", "--base-url", base_url, "--interval", "0.1s", env=env)
        ended = await simulating.stop(number)
    assert (watched.code, len(watched.lines)) == (0, 2)
    assert ended.code == 128 + number
    assert ended.err == ""


async def test_a_port_in_use_is_2_in_clear_words(watcher: Command, script: Path, api: FineTuningApi) -> None:
    port = api.base_url.removesuffix("/v1").rpartition(":")[2]
    ended = await watcher.run("simulate", script, "--port", port)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"watcher: port {port} on 127.0.0.1 is in use: choose another one, or 0 for any free one\n"


async def test_mistakes_in_a_script_are_told_at_once(watcher: Command, script: Path) -> None:
    script.write_text(WRONG_SCRIPT)
    ended = await watcher.run("simulate", script)
    assert (ended.code, ended.out) == (2, "")
    assert len(ended.err.splitlines()) == 3
    for words in ("'a b' is not a job id", "steps[0]", "faults[0].kind"):
        assert words in ended.err


async def test_the_demonstration_shows_everything_and_succeeds(watcher: Command) -> None:
    shown = await watcher.run("demo", within=timedelta(seconds=60))
    assert (shown.code, shown.err) == (0, "")
    verdict = re.fullmatch(r"(\d+) of \1 status changes delivered: none lost, none twice, all signed.", shown.lines[-1])
    assert verdict
    assert shown.out.count("signature verified") == int(verdict[1]) > 10
    assert "HTTP 503" in shown.out
    assert "HTTP 429" in shown.out


async def test_on_a_terminal_it_shows_how_jobs_train_beside_what_a_chat_gets(watcher: Command) -> None:
    env = {"TERM": "xterm-256color", "NO_COLOR": "1"}
    with Terminal(80) as terminal:
        async with watcher.start("demo", env=env, stdout=terminal.theirs) as showing:
            await until(terminal, lambda lines: any("running" in line for line in lines))
            terminal.resize(60)  # leaves nothing behind
            await until(terminal, lambda lines: not any("│" in line for line in lines))
            assert sum("support-bot  " in line for line in terminal.lines) == 1
            terminal.resize(80)
            ended = await showing.ended(timedelta(seconds=90))
        await asyncio.sleep(0)
        shown = terminal.lines
    assert (ended.code, ended.err) == (0, "")
    assert re.fullmatch(r"Its page for browsers: http://127\.0\.0\.1:\d+/", shown[1])
    assert shown[-1] == "17 of 17 status changes delivered: none lost, none twice, all signed."
    assert max(map(len, shown)) < 80
    jobs = [line.partition("│")[0].split() for line in shown if "│" in line]
    assert [job[1:3] for job in jobs[1:6]] == [
        ["support-bot", "succeeded"],
        ["sql-helper", "failed"],
        ["old-idea", "succeeded"],
        ["tagger", "cancelled"],
        ["summariser", "succeeded"],
    ]
    assert jobs[4][3] == "40%"
    assert "# ml-jobs" in shown[3]
    assert sum("tagger: cancelled" in line for line in shown) == 1
