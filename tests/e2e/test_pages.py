"""The pages of a running service: probes, metrics and the API, before and after a reload."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, closing
from signal import SIGHUP

import httpx
import pytest

from tests.e2e.processes import Command
from tests.e2e.settings import API_KEY, jobs, settings, webhook
from watcher.simulator.api import FineTuningApi
from watcher.simulator.receiver import Receiver
from watcher.simulator.script import JobScript, Step

JOB = "ftjob-pages"
TOKEN = "a-token-for-the-pages-9d3f"


async def test_the_pages_show_the_service_through_a_reload(
    watcher: Command, api: FineTuningApi, receiver: Receiver
) -> None:
    api.add_job(JobScript(JOB, (Step("running"),)))
    before = settings(
        api.base_url,
        watcher.database,
        jobs=jobs(JOB),
        notifiers={"hook": webhook(receiver.url)},
        http={"listen": "127.0.0.1:0", "token": TOKEN},
    )
    watcher.configure(before)
    async with watcher.start("run") as running:
        listen = (await running.until_logged("serving HTTP"))["listen"]
        await receiver.wait_for(1)
        async with httpx.AsyncClient(base_url=f"http://{listen}") as anybody:
            assert (await anybody.get("/livez")).status_code == 200
            assert (await anybody.get("/readyz")).json()["status"] == "ready"
            assert (await anybody.get("/metrics")).status_code == 401
            anybody.headers["Authorization"] = f"Bearer {TOKEN}"
            added = await anybody.post("/api/v1/jobs", json={"id": "ftjob-added", "name": "by hand"})
            assert added.status_code == 201
            watcher.configure(before | {"polling": {"interval": "0.2s"}})
            running.signal(SIGHUP)
            await running.until_logged("configuration reloaded")
            assert (await anybody.get("/livez")).status_code == 200
            listed = (await anybody.get("/api/v1/jobs")).json()["data"]
            metrics = (await anybody.get("/metrics")).text
        assert (await running.stop()).code == 0

    assert sorted(row["id"] for row in listed) == ["ftjob-added", JOB]
    assert 'finetune_watcher_transitions_total{from="unseen",source="openai",to="running"} 1.0' in metrics
    assert 'finetune_watcher_polls_total{outcome="answered",source="openai"}' in metrics
    assert 'finetune_watcher_store_transaction_seconds_count{operation="record"}' in metrics
    assert JOB not in metrics


async def test_idle_connections_hold_up_neither_polls_nor_messages_nor_probes(
    watcher: Command, api: FineTuningApi, receiver: Receiver
) -> None:
    """More of them than the process has file descriptors."""
    api.add_job(JobScript(JOB, (Step("running", polls=20), Step("succeeded"))))
    watcher.configure(
        settings(
            api.base_url,
            watcher.database,
            jobs=jobs(JOB),
            notifiers={"hook": webhook(receiver.url)},
            http={"listen": "127.0.0.1:0", "token": TOKEN},
        )
    )
    async with watcher.start("run", prefix=("prlimit", "--nofile=128")) as running, AsyncExitStack() as idle:
        host, port = (await running.until_logged("serving HTTP"))["listen"].split(":")
        for _ in range(300):
            idle.enter_context(closing(socket.create_connection((host, int(port)))))
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}") as anybody:
            assert (await anybody.get("/livez")).status_code == 200
        await receiver.wait_for(2)
        await running.until_logged("HTTP connections dropped: too many at once")
        ended = await running.stop()

    assert ended.code == 0
    assert ended.events("error") == []


@pytest.mark.parametrize(
    ("sources", "variables", "named"),
    [
        pytest.param(("mine",), {}, "mine", id="the only one that was configured"),
        pytest.param(("openai", "mine"), {}, "openai", id="openai, when it was configured too"),
        pytest.param(("mine",), {"OPENAI_API_KEY": API_KEY}, "openai", id="openai, when a variable has its key"),
    ],
)
async def test_a_job_without_a_source_goes_to_the_same_one_by_every_way(
    watcher: Command, api: FineTuningApi, sources: Sequence[str], variables: Mapping[str, str], named: str
) -> None:
    source = {"kind": "openai", "base_url": api.base_url, "api_key": API_KEY}
    configured = settings(
        api.base_url,
        watcher.database,
        sources=dict.fromkeys(sources, source),
        http={"listen": "127.0.0.1:0", "token": TOKEN},
    )
    watcher.configure(configured)
    async with watcher.start("run", env=variables) as running:
        listen = (await running.until_logged("serving HTTP"))["listen"]
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(base_url=f"http://{listen}", headers=headers) as client:
            by_http = (await client.post("/api/v1/jobs", json={"id": "ftjob-by-http"})).json()
        by_command = json.loads((await watcher.run("jobs", "add", "ftjob-by-command", "--json", env=variables)).out)
        await running.stop()

    assert by_http["source"] == named
    assert by_command[0]["source"] == named


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "nonsense", "unix:relative"])
async def test_what_may_not_be_listened_at_is_refused_at_start(
    watcher: Command, api: FineTuningApi, listen: str
) -> None:
    watcher.configure(settings(api.base_url, watcher.database, http={"listen": listen}))
    for verb in (("run",), ("config", "check")):
        ended = await watcher.run(*verb)
        assert (ended.code, "http.listen" in ended.err) == (2, True)


async def test_a_port_in_use_is_said(watcher: Command, api: FineTuningApi) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        watcher.configure(settings(api.base_url, watcher.database, http={"listen": f"127.0.0.1:{port}"}))
        ended = await watcher.run("run")

    assert ended.code == 2
    assert "address already in use" in ended.err
