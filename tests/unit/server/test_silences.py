"""Silences over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.server.running_server import TOKEN, Site
from watcher.store.sql import SqlStore

pytestmark = pytest.mark.asyncio(loop_scope="module")

SILENCES = "/api/v1/silences"
TEAM = {"for_seconds": 7200, "labels": {"team": "nlp"}, "source": "openai", "reason": "new rack"}


async def test_a_silence_is_added_shown_and_ended(site: Site) -> None:
    async with site(token=TOKEN) as client:
        added = await client.post(SILENCES, json=TEAM)
        assert (added.status_code, added.headers["location"]) == (201, f"{SILENCES}/{added.json()['id']}")
        until = {"ends": "in 2h", "until": "2026-11-24T14:00:00+00:00", "created_at": "2026-11-24T12:00:00+00:00"}
        by = {"created_by": None}  # a program, with the token alone
        shown = {key: value for key, value in TEAM.items() if key != "for_seconds"}
        assert (await client.get(SILENCES)).json() == {"data": [{"id": added.json()["id"], **shown, **until, **by}]}
        ended = [(await client.delete(added.headers["location"])).status_code for _ in range(2)]
        assert ended == [204, 404]
        assert (await client.get(SILENCES)).json() == {"data": []}
        assert (await client.delete(f"{SILENCES}/x")).status_code == 404


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, ["/all", "/for_seconds"]),
        ({"for_seconds": 60}, ["/all"]),
        ({**TEAM, "all": True}, ["/all"]),
        ({**TEAM, "for_seconds": True}, ["/for_seconds"]),
        ({**TEAM, "for_seconds": 10**10}, ["/for_seconds"]),
        ({**TEAM, "source": "nowhere"}, ["/source"]),
        ({**TEAM, "labels": {"team": 1}}, ["/labels/team"]),
        ({**TEAM, "reason": "", "colour": "red"}, ["/colour", "/reason"]),
    ],
    ids=str,
)
async def test_what_is_no_silence_is_refused_with_every_mistake(
    site: Site, store: SqlStore, body: dict[str, Any], where: list[str]
) -> None:
    async with site(token=TOKEN) as client:
        answer = await client.post(SILENCES, json=body)
    assert answer.status_code == 422
    assert sorted(mistake["where"] for mistake in answer.json()["mistakes"]) == where
    assert await store.silences() == []


async def test_a_silence_must_be_an_object(site: Site) -> None:
    async with site(token=TOKEN) as client:
        assert (await client.post(SILENCES, json=[])).json()["detail"] == "The body must be an object."
