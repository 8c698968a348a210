"""The errors of HTTP exchanges. Their texts never repeat an address: a URL can be a secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import httpx

CANNOT_CONNECT = "cannot connect"
CANNOT_CONNECT_TO_PROXY = "cannot connect to the proxy"
BROKE_WHILE_READING = "the connection broke while reading"
BROKE_WHILE_WRITING = "the connection broke while writing"
BROKE_OFF = "the server broke off or does not speak HTTP"
PROXY_REFUSED = "the proxy refused"
CONNECTION_FAILED = "the connection failed"
CERTIFICATE_NOT_ACCEPTED = "TLS certificate not accepted"
HEADER_NOT_VALID = "the request cannot be sent: a header is not valid"
WRONG_SCHEME = "the address is not http:// or https://"


class HttpError(Exception):
    """No usable answer arrived. The text names what happened, never the URL: a URL can be a secret."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read whole."""

    status_code: int
    headers: Mapping[str, str]
    """Found by name in any case; several of a name are one value, with commas between."""
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return httpx.codes.is_success(self.status_code)


class AnswerTooLargeError(HttpError):
    """The body was not read to its end: it is too long, or packed so that its size cannot be bounded.

    `head` is the answer without its body.
    """

    def __init__(self, message: str, head: Answer) -> None:
        super().__init__(message)
        self.head = head


class NotConnectedError(HttpError):
    """No connection could be opened, so nothing was sent: another address of the server may be tried."""


class CertificateFormError(NotConnectedError):
    """The transport cannot judge a certificate of this form; another transport may."""


class StaleConnectionError(HttpError):
    """A connection that was kept open ended before a byte of the answer came."""
