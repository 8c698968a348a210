"""Which names a request may call this host by: not that of a web page which its owner points here."""

from __future__ import annotations

import pytest

from tests.unit.server.running_server import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOSTS = ("watcher.example.com", "Watcher")


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8321",
        "localhost.",
        "127.0.0.1",
        "127.0.0.1:8321",
        "[::1]",
        "[::1]:8321",
        "192.0.2.7:80",
        "watcher.example.com:443",
        "Watcher.Example.com.",
        "watcher",
    ],
)
@pytest.mark.parametrize("token", ["a-token", None], ids=["with a token", "without"])
async def test_a_name_of_this_host_is_answered(site: Site, host: str, token: str | None) -> None:
    async with site(token=token, hosts=HOSTS) as client:
        assert (await client.get("/api/v1/jobs", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "attacker.example",
        "attacker.example:8321",
        "watcher.example.com.attacker.example",
        "localhost.attacker.example",
        "127.0.0.1.attacker.example",
        "127.0.0.1@attacker.example",
        "[attacker.example]",
        "evil-watcher",
        "",
    ],
)
@pytest.mark.parametrize("token", ["a-token", None], ids=["with a token", "without"])
async def test_another_name_is_refused_but_by_the_probes(site: Site, host: str, token: str | None) -> None:
    async with site(token=token, hosts=HOSTS) as client:
        refused = [await client.get(path, headers={"Host": host}) for path in ("/api/v1/jobs", "/metrics", "/nowhere")]
        probes = [await client.get(path, headers={"Host": host}) for path in ("/livez", "/readyz")]
    assert [answer.status_code for answer in refused] == [421] * 3
    assert "http.allowed_hosts" in refused[0].json()["detail"]
    assert [answer.status_code for answer in probes] == [200] * 2


async def test_a_socket_file_is_called_by_any_name(site: Site) -> None:
    async with site(hosts=None) as client:
        assert (await client.get("/api/v1/jobs", headers={"Host": "anything"})).status_code == 200
