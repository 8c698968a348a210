"""A proxy in front that names the user it has let in: who may write that header, and what it opens."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Scope

from tests.doubles import ManualClock, RecordingLog
from tests.unit.server.running_server import TOKEN, Site
from tests.unit.server.test_page import OWN_PAGE, dead_delivery
from watcher.server.auth import TokenGuard, user_of
from watcher.store.sql import SqlStore

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEADER = "X-Forwarded-User"
NAMED = {HEADER: "ada"}


@pytest.mark.parametrize("token", [TOKEN, None], ids=["with a token", "without"])
async def test_who_is_named_needs_no_token(
    site: Site, store: SqlStore, clock: ManualClock, log: RecordingLog, token: str | None
) -> None:
    number = await dead_delivery(store, clock)
    async with site(token=token, user_header=HEADER) as client:
        client.headers.pop("Authorization", None)
        read = await client.get("/", headers=NAMED)
        form = f"id={number}&action=discard"
        foreign = await client.post("/deliveries", content=form, headers=OWN_PAGE | NAMED | {"Sec-Fetch-Site": "none"})
        changed = await client.post("/deliveries", content=form, headers=OWN_PAGE | NAMED)
    assert [answer.status_code for answer in (read, foreign, changed)] == [200, 403, 303]
    assert ("info", "delivery changed on the page") in [line[:2] for line in log.lines]
    assert [facts["user"] for _, event, facts in log.lines if "changed" in event] == ["ada"]


@pytest.mark.parametrize(
    "headers",
    [[], [(HEADER, "")], [(HEADER, "a"), (HEADER, "b")], [("X-Forwarded-Users", "ada")]],
    ids=["none", "empty", "two", "another"],
)
@pytest.mark.parametrize("token", [TOKEN, None], ids=["with a token", "without"])
async def test_who_is_not_named_needs_a_token(site: Site, headers: list[tuple[str, str]], token: str | None) -> None:
    async with site(token=token, user_header=HEADER) as client:
        client.headers.pop("Authorization", None)
        answers = [await client.get(path, headers=headers) for path in ("/", "/api/v1/jobs", "/livez")]
    assert [answer.status_code for answer in answers] == [401, 401, 200]


async def test_without_the_setting_the_header_says_nothing(site: Site) -> None:
    async with site() as client:
        client.headers.pop("Authorization")
        assert (await client.get("/", headers=NAMED)).status_code == 401


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        (None, 200),
        (("127.0.0.1", 4711), 200),
        (("127.9.9.9", 4711), 200),
        (("::1", 4711), 200),
        (("192.0.2.7", 4711), 401),
        (("10.0.0.1", 4711), 401),
        (("2001:db8::1", 4711), 401),
    ],
    ids=str,
)
async def test_it_counts_from_this_host_alone(client: tuple[str, int] | None, expected: int) -> None:
    async def greet(scope: Scope, receive: object, send: object) -> None:
        await PlainTextResponse(user_of(Request(scope).scope) or "nobody")(scope, receive, send)  # type: ignore[arg-type]

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    scope = {"type": "http", "path": "/", "method": "GET", "headers": [(b"x-forwarded-user", b"ada")], "client": client}
    await TokenGuard(greet, "a-token", HEADER)(scope, receive, send)
    assert sent[0]["status"] == expected
    if expected == 200:
        assert sent[1]["body"] == b"ada"
