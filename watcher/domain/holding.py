"""When an event has to wait for a notifier: until more has come, the quiet hours are over, or the day's digest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from watcher.domain.events import Event
from watcher.domain.transitions import Transition

BATCH_FROM = 3
"""So many events of one batch become one message; fewer are told one by one."""
LABEL = "label:"
BY_SOURCE, BY_STATE = "source", "state"
_BATCH, _QUIET, _DIGEST = "batch", "quiet", "digest"
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """The hours of each day in which a notifier is left alone."""

    begin: time
    end: time
    """Not later than `begin` for hours over midnight."""
    zone: tzinfo = UTC
    exempt: frozenset[str] = frozenset()
    """States, statuses and last words of types, such as `failed` and `stuck`, that may come at any hour."""

    def until(self, now: datetime) -> datetime | None:
        """Return when the quiet hours are over; None when it is not quiet now."""
        today = now.astimezone(self.zone).date()
        for day in (today - timedelta(days=1), today):
            begin = _moment(day, self.begin, self.zone)
            end = _moment(day if self.begin < self.end else day + timedelta(days=1), self.end, self.zone)
            if begin <= now < end:
                return end
        return None


@dataclass(frozen=True, slots=True)
class Digest:
    """When, each day, one message tells all that came since the last one."""

    at: time
    zone: tzinfo = UTC

    def next_after(self, now: datetime) -> datetime:
        """Return when the next digest is due."""
        today = now.astimezone(self.zone).date()
        days = (_moment(today + timedelta(days=ahead), self.at, self.zone) for ahead in (0, 1, 2))
        return next(moment for moment in days if moment > now)


@dataclass(frozen=True, slots=True)
class Holding:
    """What keeps events back from one notifier."""

    batch: timedelta | None = None
    """For so long at most, for more to come."""
    batch_by: tuple[str, ...] = ()
    """What events of one batch have in common: `source`, `state`, `label:KEY`."""
    quiet: QuietHours | None = None
    digest: Digest | None = None
    is_grouped: bool = True
    """Whether what waited together is sent as one message."""

    def __bool__(self) -> bool:
        """Tell whether anything may be kept back."""
        return bool(self.batch or self.quiet or self.digest)

    def hold(self, event: Event, now: datetime) -> Hold | None:
        """Return until when an event has to wait, and with which others; None: it need not."""
        if self.digest:
            return self._group(_DIGEST, self.digest.next_after(now))
        end = self.quiet.until(now) if self.quiet and not _is_exempt(event, self.quiet.exempt) else None
        if end:
            return self._group(_QUIET, end)
        if self.batch:
            # Windows that are the same for all replicas, with nothing to look up.
            end = _EPOCH + ((now - _EPOCH) // self.batch + 1) * self.batch
            return self._group(_BATCH, end, *_shared(event, self.batch_by))
        return None

    def _group(self, kind: str, end: datetime, *shared: str) -> Hold:
        key = " ".join([kind, end.astimezone(UTC).isoformat(), *shared]) if self.is_grouped else None
        return Hold(end, key, _REASONS[kind])


NOTHING_HELD = Holding()


@dataclass(frozen=True, slots=True)
class Hold:
    """Until when an event waits, with which others, and why."""

    until: datetime
    group_key: str | None
    """What waits under one key is sent as one message."""
    reason: str = field(compare=False)


_REASONS = {_BATCH: "waits for others, to be told together", _QUIET: "quiet hours", _DIGEST: "waits for the digest"}


def is_one_message(group_key: str | None, count: int) -> bool:
    """Tell whether so many events that waited under a key are told as one message."""
    if group_key is None:
        return False
    return count >= BATCH_FROM if group_key.partition(" ")[0] == _BATCH else count > 1


def is_digest(group_key: str | None) -> bool:
    """Tell whether what waited under a key is told in a digest, which also says how all stands now."""
    return group_key is not None and group_key.partition(" ")[0] == _DIGEST


def _is_exempt(event: Event, exempt: frozenset[str]) -> bool:
    words = {event.type.rpartition(".")[2]}
    if isinstance(event, Transition):
        words |= {event.status, event.state.value}
    return not exempt.isdisjoint(words)


def _shared(event: Event, keys: tuple[str, ...]) -> Iterator[str]:
    for key in keys:
        if key.startswith(LABEL):
            yield f"{key}={event.labels.get(key.removeprefix(LABEL), '')}"
        elif isinstance(event, Transition):
            yield f"{key}={event.key.source if key == BY_SOURCE else event.state.value}"
        else:
            yield f"{key}="


def _moment(day: date, at: time, zone: tzinfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC)
