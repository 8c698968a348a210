"""What went wrong with an exchange, in words that never repeat an address: a URL can be a secret."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Mapping

import httpx


def describe(error: Exception) -> str:
    """Name what happened without repeating an address, which the libraries may put into their texts."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"TLS certificate not accepted: {cause.verify_message}"
        if isinstance(cause, OSError) and (words := _words(cause)):
            return f"{_KINDS.get(type(error), 'the connection failed')}: {words}"
        cause = cause.__cause__ or cause.__context__
    return _KINDS.get(type(error), "the connection failed")


def _words(error: OSError) -> str | None:
    # These two number their errors in their own way.
    if error.errno is None or isinstance(error, ssl.SSLError | socket.gaierror):
        return error.strerror
    # Not its own text: asyncio writes the address into it.
    return os.strerror(error.errno)


_KINDS: Mapping[type[Exception], str] = {
    httpx.ConnectError: "cannot connect",
    httpx.ReadError: "the connection broke while reading",
    httpx.WriteError: "the connection broke while writing",
    httpx.RemoteProtocolError: "the server broke off or does not speak HTTP",
    httpx.ProxyError: "the proxy refused",
    httpx.UnsupportedProtocol: "the address is not http:// or https://",
    httpx.DecodingError: "the answer cannot be decompressed",
}
