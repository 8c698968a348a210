"""What the forms of the pages do. Each needs the token; from a browser it must come from a page of this server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response

from watcher.domain.deliveries import Delivered, Failed, Outcome
from watcher.domain.text import printable
from watcher.server.auth import user_of
from watcher.server.context import ServerContext
from watcher.server.page.headers import go_to
from watcher.server.page.silence_form import silence_document
from watcher.server.parsing import read_body, read_silence
from watcher.server.problems import Problem

NOTICES: Mapping[str, str] = {
    "retried": "It will be sent again now.",
    "discarded": "It will not be sent.",
    "unchanged": "Nothing was changed: the delivery is neither pending nor dead any more.",
    "muted": "It is muted from now on.",
    "ended": "The silence has ended.",
    "over": "Nothing was changed: the silence is not in force any more.",
}
"""What a page says after a form, by the word in its address."""
_FORM = "application/x-www-form-urlencoded"


class Actions:
    """Carries out forms."""

    def __init__(self, context: ServerContext, has_changed: Callable[[], None]) -> None:
        """`has_changed` is called when the pages may show something else now."""
        self._context = context
        self._has_changed = has_changed
        self.tests: dict[str, tuple[datetime, str]] = {}
        """When each notifier was last tested, and what its receiver answered."""

    async def deliveries(self, request: Request) -> Response:
        """Retry or discard one delivery, then show the deliveries again."""
        form = await self._form(request)
        number = _number(form, "delivery")
        now, store = self._context.clock(), self._context.store
        match form.get("action"):
            case "retry":
                count, word = await store.requeue_deliveries([number], now), "retried"
            case "discard":
                count, word = await store.discard_deliveries([number], now), "discarded"
            case _:
                raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "The form must say action=retry or action=discard.")
        self._context.log.info(
            "delivery changed on the page", delivery=number, action=word if count else "none", **_by(request)
        )
        self._has_changed()
        return go_to(f"/deliveries?done={word if count else 'unchanged'}")

    async def test(self, request: Request) -> Response:
        """Send a test message to a notifier, then show its answer."""
        name = (await self._form(request)).get("notifier", "")
        if self._context.send_test is None or name not in self._context.health().notifiers:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "No notifier of this name is configured.")
        outcome = await self._context.send_test(name)
        word = type(outcome).__name__.lower()
        self._context.log.info("test message sent from the page", notifier=name, outcome=word, **_by(request))
        self.tests[name] = self._context.clock(), _words(outcome)
        self._has_changed()
        return go_to("/notifiers")

    async def silences(self, request: Request) -> Response:
        """Add a silence or end one, then show the silences again."""
        form = await self._form(request)
        now, store, log = self._context.clock(), self._context.store, self._context.log
        match form.get("action"):
            case "add":
                wanted = read_silence(silence_document(form), self._context, now)
                made = await store.add_silence(replace(wanted, created_by=user_of(request.scope)), now)
                log.info("silence added on the page", silence=made.name, until=made.until.isoformat(), **_by(request))
                word = "muted"
            case "expire":
                number = _number(form, "silence")
                word = "ended" if await store.expire_silence(number, now) else "over"
                log.info("silence ended on the page", silence=str(number), outcome=word, **_by(request))
            case _:
                raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "The form must say action=add or action=expire.")
        self._has_changed()
        return go_to(f"/silences?done={word}")

    async def _form(self, request: Request) -> Mapping[str, str]:
        """Read a form. Raises Problem for one that is none, or is too large or too slow."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
            raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"The body must be {_FORM}.")
        body = await read_body(request, self._context.body_timeout)
        try:
            fields = parse_qs(body.decode(), max_num_fields=8, strict_parsing=True)
        except ValueError:
            raise Problem(HTTPStatus.BAD_REQUEST, "The body is no form.") from None
        return {name: values[0] for name, values in fields.items()}


def _by(request: Request) -> Mapping[str, str]:
    user = user_of(request.scope)
    return {"user": user} if user else {}


def _number(form: Mapping[str, str], what: str) -> int:
    text = form.get("id", "")
    if not text.isascii() or not text.isdigit() or len(text) > 18:  # noqa: PLR2004 - what a database can count to
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"The form must say which {what} by its id.")
    return int(text)


def _words(outcome: Outcome) -> str:
    match outcome:
        case Delivered(answer):
            return printable(f"accepted: {answer}" if answer else "accepted")
        case Failed(error):
            return printable(f"not accepted, may be later: {error}")
        case _:
            return printable(f"rejected for good: {outcome.error}")
