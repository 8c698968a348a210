"""What can go wrong, as one tree.

WatcherError                    everything below; its text is written for the person who runs the watcher
├── ConfigurationError          the settings, the command or the environment is wrong: nothing was started
├── SourceError                 a poll brought no observation
│   ├── TransientError          it may pass: 408, 409, 429, 5xx, the network
│   │   └── MalformedResponseError   an answer that is no job object
│   ├── RejectedError           the source refuses us (401, 403, quota): a person must act
│   └── MissingError            404: job is unknown to its source
├── WebhookError                what was posted in the name of a source is not shown to be from it
├── StoreError                  the store could not be read or written
│   ├── StoreUnavailableError   it may pass: busy, disk full, read-only, connection lost
│   └── StoreUnusableError      it will not: newer than this program, not a watcher database, damaged
├── OutputFailedError           standard output cannot be written, as on a full disk
└── OutputClosedError           the reader of standard output is gone
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta


class WatcherError(Exception):
    """The root of every error that the watcher raises on purpose."""


class ConfigurationError(WatcherError):
    """The settings, the command or the environment is wrong; `mistakes` holds every one found."""

    def __init__(self, *mistakes: str) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes: Sequence[str] = mistakes


class SourceError(WatcherError):
    """A poll brought no observation. `request_id` is the API's own name of the exchange, if it gave one."""

    def __init__(self, message: str, *, status_code: int | None = None, request_id: str | None = None) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.request_id = request_id


class TransientError(SourceError):
    """The poll may succeed later; within the poll it is tried again only if `retryable`."""

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        request_id: str | None = None,
        retry_after: timedelta | None = None,
        retryable: bool = True,
    ) -> None:
        super().__init__(message, status_code=status_code, request_id=request_id)
        self.retry_after = retry_after
        self.retryable = retryable


class MalformedResponseError(TransientError):
    """The answer is not the job object that was asked for."""


class RejectedError(SourceError):
    """The source refuses us, and will until a person acts: 401, 403, or no quota left."""


class MissingError(SourceError):
    """The source does not know the job (404): perhaps not yet."""


class WebhookError(WatcherError):
    """What was posted in the name of a source is not shown to be from it; the text is written for the sender."""


class StoreError(WatcherError):
    """The store could not be read or written."""


class StoreUnavailableError(StoreError):
    """The store cannot be reached now, but may be later: busy, disk full, read-only, connection lost."""


class StoreUnusableError(StoreError):
    """The store cannot be used by this program: newer than it, of another program, or damaged."""


class OutputClosedError(WatcherError):
    """The reader of standard output is gone."""


class OutputFailedError(WatcherError):
    """Standard output cannot be written, as on a full disk."""
