"""One POST to a receiver, and what its answer means for the delivery."""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

from watcher.domain.deliveries import Delivered, Failed, Outcome, Rejected
from watcher.domain.text import excerpt
from watcher.errors import ConfigurationError
from watcher.http import Answer, AnswerTooLargeError, HttpError, retry_after
from watcher.plugins.notifier import Context
from watcher.redaction import Redactor

ADDRESS_RULE = "must be an address that starts with http:// or https:// and has a host"
_ANSWER_EXCERPT = 200
"""How much of an answer's body is reported, in characters."""
_URL_CHARACTERS = frozenset(string.ascii_letters + string.digits + "-._~:/?#[]@!$&'()*+,;=%")


def _check_address(address: SecretStr) -> SecretStr:
    url = address.get_secret_value()
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not _URL_CHARACTERS.issuperset(url):
        raise ValueError(ADDRESS_RULE)
    return address


Address = Annotated[SecretStr, AfterValidator(_check_address)]
"""The URL of a receiver. It is a secret: the address of an incoming webhook is all that is needed to write to it."""


def json_of(answer: Answer) -> Mapping[str, object]:
    """Return the JSON object that the body holds; an empty one when it holds no other."""
    try:
        body: object = json.loads(answer.body)
    except (ValueError, RecursionError):  # not JSON, not UTF-8, or nested without end
        return {}
    return body if isinstance(body, dict) else {}


def _never(_answer: Answer) -> bool:
    return False


def _says_no_wait(_answer: Answer) -> timedelta | None:
    return None


class Receiver:
    """A receiver of messages by POST. What is reported of an answer never contains a secret."""

    def __init__(
        self,
        context: Context,
        address: SecretStr,
        *,
        secrets: Iterable[str] = (),
        is_final: Callable[[Answer], bool] = _never,
        wait_in: Callable[[Answer], timedelta | None] = _says_no_wait,
    ) -> None:
        """Make a receiver that takes a message with any 2xx, and refuses it for good with 410.

        Any other status may come from something in front of the receiver, a proxy in the seconds of a redeployment:
        it is tried again. `is_final` knows the receiver's own words for a refusal that is for good, `wait_in` finds
        in a body how long to wait, where headers say it less well.

        Raises ConfigurationError if no request can be made for the address.
        """
        self._context = context
        self._address = address
        self._mask = Redactor((address.get_secret_value(), *secrets))
        self._is_final = is_final
        self._wait_in = wait_in
        try:
            context.http.request("POST", address.get_secret_value())
        except ValueError:
            raise ConfigurationError(f"notifier {context.name}: its address {ADDRESS_RULE}") from None

    async def post(self, body: str, headers: Mapping[str, str]) -> Outcome:
        """Make one attempt."""
        answer = await self.exchange(body, headers)
        return answer if isinstance(answer, Failed) else self.sort(answer)

    async def exchange(self, body: str | bytes, headers: Mapping[str, str]) -> Answer | Failed:
        """Post once, and return the answer for those who read more of it than its status."""
        http = self._context.http
        content = body.encode() if isinstance(body, str) else body
        request = http.request("POST", self._address.get_secret_value(), content=content, headers=headers)
        try:
            return await http.exchange(request)
        except AnswerTooLargeError as error:
            return error.head  # its status has the outcome of the message
        except HttpError as error:
            return Failed(self._mask.hide(str(error)))

    def sort(self, answer: Answer) -> Outcome:
        """Say what an answer means, by its status and by what is known to be final."""
        told = self.tell(answer)
        status = answer.status_code
        if answer.is_success:
            return Delivered(told)
        if status == HTTPStatus.GONE or self._is_final(answer):
            return Rejected(told)
        if 300 <= status < 400:  # noqa: PLR2004 - the class 3xx
            told += " (redirects are not followed)"
        return Failed(told, self._wait_in(answer) or retry_after(answer.headers, self._context.clock()))

    def tell(self, answer: Answer) -> str:
        """Return the answer in words, short, and without a secret."""
        body = self.tell_text(answer.body.decode("utf-8", "replace"))
        return f"{_name(answer.status_code)}: {body}" if body else _name(answer.status_code)

    def tell_text(self, text: str) -> str:
        """Return a text of the receiver's on one line, short, and without a secret."""
        # Masked before it is cut, so that no half of a secret stays at the cut.
        return excerpt(" ".join(self._mask.hide(text).split()), _ANSWER_EXCERPT)


def _name(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
