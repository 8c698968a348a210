"""What a command line of `watch` asks for, beside the jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Wishes:
    """How long to watch, what is shown, and who is told."""

    interval: timedelta
    until: str | None
    """A status to wait for; None: the end of the job."""
    timeout: timedelta | None
    give_up_after: timedelta
    as_json: bool
    verbose: bool
    notify: Sequence[str]
    """The names of notifiers."""
    is_notice_required: bool
    tells_desktop: bool
