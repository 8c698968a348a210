"""The body of an answer: unpacked while it arrives, and bounded in what it unpacks to."""

from __future__ import annotations

import zlib

from watcher.http.errors import Answer, AnswerTooLargeError, HttpError

ACCEPT_ENCODING = "gzip"
"""What servers are asked for. Only zlib can limit how much it unpacks at once, in every supported Python."""
_GZIP_WINDOW = 31
_STEP_BYTES = 64 * 1024
"""How much is unpacked before the size is looked at."""
_PLAIN = frozenset({"", "identity"})
_GZIP = frozenset({"gzip", "x-gzip"})


class Body:
    """Collects the body of one answer, at most `size_limit` bytes of it, decompressed."""

    def __init__(self, head: Answer, encoding: str | None, size_limit: int) -> None:
        """`encoding` is the answer's Content-Encoding.

        Raises AnswerTooLargeError for one whose size cannot be bounded while it is unpacked.
        """
        self._head = head
        self._size_limit = size_limit
        self._content = bytearray()
        encoding = (encoding or "").strip().lower()
        if encoding not in _PLAIN | _GZIP:
            # Two layers of gzip turn 7 kB into gigabytes between them, though the outcome may be small.
            raise AnswerTooLargeError("the answer has a content encoding that was not asked for", head)
        self._gzip = zlib.decompressobj(_GZIP_WINDOW) if encoding in _GZIP else None
        self._packed_bytes = 0

    def feed(self, piece: bytes) -> None:
        """Add what arrived. Raises AnswerTooLargeError, and HttpError for what cannot be decompressed."""
        if self._gzip is None:
            self._add(piece)
            return
        self._packed_bytes += len(piece)
        try:
            while piece:
                if self._gzip.eof:  # gzip files may be concatenated
                    self._gzip = zlib.decompressobj(_GZIP_WINDOW)
                self._add(self._gzip.decompress(piece, _STEP_BYTES))
                piece = self._gzip.unconsumed_tail or self._gzip.unused_data
        except zlib.error:
            raise HttpError("the answer cannot be decompressed") from None

    def whole(self) -> bytes:
        """Return the body once all of it has arrived. Raises HttpError if its packing has no end."""
        if self._gzip is not None and self._packed_bytes and not self._gzip.eof:
            raise HttpError("the answer cannot be decompressed")
        return bytes(self._content)

    def _add(self, content: bytes) -> None:
        self._content += content
        if len(self._content) > self._size_limit:
            self._content.clear()  # the error's traceback keeps this object for a while
            raise AnswerTooLargeError(f"the answer is larger than {self._size_limit:,} bytes", self._head)
