"""Who may ask for what."""

from __future__ import annotations

import pytest

from tests.unit.server.running_server import TOKEN, Site, watch
from watcher.domain.jobs import JobKey
from watcher.store.sql import SqlStore

pytestmark = pytest.mark.asyncio(loop_scope="module")

READS = ("/metrics", "/openapi.json", "/api/v1/jobs", "/api/v1/jobs/openai/ftjob-1", "/api/v1/deliveries")
CHANGES = (("POST", "/api/v1/jobs", {"id": "ftjob-2"}), ("DELETE", "/api/v1/jobs/openai/ftjob-1", None))

wrong = pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer another-token",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        TOKEN,
    ],
)


@wrong
async def test_without_the_right_token_only_the_probes_answer(site: Site, store: SqlStore, header: str | None) -> None:
    await watch(store, "ftjob-1")
    headers = {} if header is None else {"Authorization": header}
    async with site() as client:
        del client.headers["Authorization"]
        probes = [await client.get(path, headers=headers) for path in ("/livez", "/readyz")]
        refused = [await client.get(path, headers=headers) for path in (*READS, "/nothing/here", "/livez/")]
        refused += [await client.request(verb, path, json=body, headers=headers) for verb, path, body in CHANGES]
    assert [answer.status_code for answer in probes] == [200, 200]
    for answer in refused:
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"
        assert TOKEN not in answer.text
    assert [job.key.id for job in await store.jobs()] == ["ftjob-1"]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
async def test_the_right_token_opens_everything(site: Site, store: SqlStore, scheme: str) -> None:
    await watch(store, "ftjob-1")
    async with site() as client:
        client.headers["Authorization"] = f"{scheme} {TOKEN}"
        reads = [await client.get(path) for path in READS]
        changes = [await client.request(verb, path, json=body) for verb, path, body in CHANGES]
    assert {answer.status_code for answer in reads} == {200}
    assert [answer.status_code for answer in changes] == [201, 204]


async def test_two_tokens_are_none(site: Site) -> None:
    async with site() as client:
        answer = await client.get("/metrics", headers=[("Authorization", f"Bearer {TOKEN}"), ("Authorization", "x")])
    assert answer.status_code == 401


async def test_without_a_configured_token_anybody_may_read_and_nobody_may_change(site: Site, store: SqlStore) -> None:
    await watch(store, "ftjob-1")
    async with site(token=None) as client:
        reads = [await client.get(path) for path in READS]
        changes = [
            await client.request(verb, path, json=body, headers={"Authorization": "Bearer x"})
            for verb, path, body in CHANGES
        ]
    assert {answer.status_code for answer in reads} == {200}
    for answer in changes:
        assert answer.status_code == 403
        assert "http.token" in answer.json()["detail"]
    assert await store.job(JobKey("openai", "ftjob-1"), include_removed=False) is not None
    assert await store.job(JobKey("openai", "ftjob-2")) is None
