"""The pages of a running service: probes, metrics and the API, before and after a reload."""

from __future__ import annotations

import socket
from signal import SIGHUP

import httpx
import pytest

from tests.e2e.processes import Command
from tests.e2e.settings import jobs, settings, webhook
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
