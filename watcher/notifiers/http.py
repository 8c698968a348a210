"""One POST to a receiver, and what its answer means for the delivery."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Mapping
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


def _never(_answer: Answer) -> bool:
    return False


class Receiver:
    """A receiver of messages by POST. What is reported of an answer never contains a secret."""

    def __init__(
        self,
        context: Context,
        address: SecretStr,
        *,
        secrets: Iterable[str] = (),
        is_final: Callable[[Answer], bool] = _never,
    ) -> None:
        """Make a receiver that takes a message with any 2xx, and refuses it for good with 410.

        Any other status may come from something in front of the receiver, a proxy in the seconds of a redeployment:
        it is tried again. `is_final` knows the receiver's own words for a refusal that is for good.

        Raises ConfigurationError if no request can be made for the address.
        """
        self._context = context
        self._address = address
        self._mask = Redactor((address.get_secret_value(), *secrets))
        self._is_final = is_final
        try:
            context.http.request("POST", address.get_secret_value())
        except ValueError:
            raise ConfigurationError(f"notifier {context.name}: its address {ADDRESS_RULE}") from None

    async def post(self, body: str, headers: Mapping[str, str]) -> Outcome:
        """Make one attempt."""
        http = self._context.http
        request = http.request("POST", self._address.get_secret_value(), content=body.encode(), headers=headers)
        try:
            answer = await http.exchange(request)
        except AnswerTooLargeError as error:
            answer = error.head  # its status has the outcome of the message
        except HttpError as error:
            return Failed(self._mask.hide(str(error)))
        return self._sort(answer)

    def _sort(self, answer: Answer) -> Outcome:
        told = self._tell(answer)
        status = answer.status_code
        if answer.is_success:
            return Delivered(told)
        if status == HTTPStatus.GONE or self._is_final(answer):
            return Rejected(told)
        if 300 <= status < 400:  # noqa: PLR2004 - the class 3xx
            told += " (redirects are not followed)"
        return Failed(told, retry_after(answer.headers, self._context.clock()))

    def _tell(self, answer: Answer) -> str:
        # Masked before it is cut, so that no half of a secret stays at the cut.
        body = " ".join(self._mask.hide(answer.body.decode("utf-8", "replace")).split())
        return f"{_name(answer.status_code)}: {excerpt(body, _ANSWER_EXCERPT)}" if body else _name(answer.status_code)


def _name(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
