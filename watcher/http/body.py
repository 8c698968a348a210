"""The body of an answer: unpacked, and bounded in what it unpacks to."""

from __future__ import annotations

import zlib
from dataclasses import replace

from watcher.http.errors import Answer, AnswerTooLargeError, HttpError

ACCEPT_ENCODING = "gzip"
"""What servers are asked for. Only zlib can limit how much it unpacks at once, in every supported Python."""
_GZIP_WINDOW = 31
_STEP_BYTES = 64 * 1024
"""How much is unpacked before the size is looked at."""
_PLAIN = frozenset({"", "identity"})
_GZIP = frozenset({"gzip", "x-gzip"})


def unpacked(answer: Answer, size_limit: int) -> Answer:
    """Return an answer that came as it was sent with its body decompressed.

    Raises AnswerTooLargeError for one larger than the limit, packed or not, and for one whose size cannot be bounded
    while it is unpacked; HttpError for what cannot be decompressed.
    """
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    if encoding not in _PLAIN | _GZIP:
        # Two layers of gzip turn 7 kB into gigabytes between them, though the outcome may be small.
        raise AnswerTooLargeError("the answer has a content encoding that was not asked for", _head(answer))
    if encoding in _GZIP and len(answer.body) <= size_limit:
        answer = replace(answer, body=_unzipped(answer.body, size_limit))
    if len(answer.body) > size_limit:
        raise AnswerTooLargeError(f"the answer is larger than {size_limit:,} bytes", _head(answer))
    return answer


def _head(answer: Answer) -> Answer:
    return replace(answer, body=b"")


def _unzipped(packed: bytes, size_limit: int) -> bytes:
    """Return what was packed, or its beginning if that is larger than the limit."""
    content, left = bytearray(), memoryview(packed)
    member = zlib.decompressobj(_GZIP_WINDOW)
    try:
        while left and len(content) <= size_limit:
            if member.eof:  # gzip files may be concatenated
                member = zlib.decompressobj(_GZIP_WINDOW)
            piece = left[:_STEP_BYTES]
            content += member.decompress(piece, _STEP_BYTES)
            left = left[len(piece) - len(member.unconsumed_tail or member.unused_data) :]
    except zlib.error:
        raise HttpError("the answer cannot be decompressed") from None
    if packed and not left and not member.eof and len(content) <= size_limit:
        raise HttpError("the answer cannot be decompressed")
    return bytes(content)
