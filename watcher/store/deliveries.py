"""Deliveries: which are due, their outcomes, and commands on them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from watcher.domain.deliveries import SERVICE_RETRY_POLICY, Delivery, DeliveryState, Settlement
from watcher.domain.text import printable
from watcher.store.rows import delivery_of, select_deliveries
from watcher.store.schema import condition_event, delivery, receipt, transition

_PENDING = DeliveryState.PENDING.value
# Written into the statement: a planner that sees a parameter cannot count on the index of pending deliveries.
_PENDING_AS_SQL: ColumnElement[str] = literal_column(f"'{_PENDING}'")
_OPEN = (DeliveryState.PENDING, DeliveryState.DEAD)
"""The states that a person may still want something done about."""

_IS_TRANSITION = and_(transition.c.job == delivery.c.job, transition.c.seq == delivery.c.seq)
_IS_CONDITION_EVENT = and_(condition_event.c.condition == delivery.c.condition, condition_event.c.seq == delivery.c.seq)
_EVENT_AT = func.coalesce(transition.c.observed_at, condition_event.c.at)
_OWED_SINCE = case((delivery.c.hold_until > _EVENT_AT, delivery.c.hold_until), else_=_EVENT_AT)
"""Since when a delivery could have gone out: nothing is late that had to wait."""

MOST_GROUPED = 500
"""Events that one message tells of at most: all of them are in memory at once."""

_earlier, _later = delivery.alias("earlier"), delivery.alias("later")


def _is_another_pending(subject: str, other: FromClause, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Tell whether another one of the same job, or of the same condition, is pending that meets the conditions.

    One question for each: PostgreSQL would compare each due one with all that are pending to answer both at once.
    """
    is_its = other.c[subject] == delivery.c[subject], other.c.notifier == delivery.c.notifier
    return select(other.c.id).where(*is_its, other.c.state == _PENDING_AS_SQL, *conditions).exists()


_IS_EARLIER = _earlier.c.seq < delivery.c.seq
_IS_OUTSIDE = or_(
    _earlier.c.group_key.is_(None),
    _earlier.c.group_key != delivery.c.group_key,
    _earlier.c.next_at > bindparam("now"),
)
"""Whether an earlier one does not go out with the group."""
_IS_LATER_AND_DUE = and_(_later.c.seq > delivery.c.seq, _later.c.next_at <= bindparam("now"))
_OVERTAKEN = select(delivery.c.id).where(
    delivery.c.id.in_(bindparam("claimed", expanding=True)),
    or_(*(_is_another_pending(subject, _later, _IS_LATER_AND_DUE) for subject in ("job", "condition"))),
)


def _due(limit: int | BindParameter[Any], *conditions: ColumnElement[bool]) -> Select[int]:
    """Select what a notifier is due and nobody holds, the longest due first, nothing before an earlier one.

    The conditions tell which earlier ones count.
    """
    is_free = or_(delivery.c.claimed_until.is_(None), delivery.c.claimed_until <= bindparam("now"))
    return (
        select(delivery.c.id)
        .where(
            delivery.c.notifier == bindparam("to_notifier"),
            delivery.c.state == _PENDING_AS_SQL,
            delivery.c.next_at <= bindparam("now"),
            is_free,
            *(~_is_another_pending(subject, _earlier, *conditions) for subject in ("job", "condition")),
        )
        .order_by(delivery.c.next_at, delivery.c.id)
        .limit(limit)
    )


def _claim_of(due: Select[int], name: str) -> ReturningUpdate[int]:
    # A CTE that locks rows runs once. A plain subquery might run again for each row, and claim more than was asked for.
    claimable = due.with_for_update(skip_locked=True, of=delivery).cte(name)
    is_claimable = delivery.c.id.in_(select(claimable.c.id))
    return update(delivery).where(is_claimable).values(claimed_until=bindparam("until")).returning(delivery.c.id)


_DUE = _due(bindparam("capacity"), _IS_EARLIER)
_CLAIM = _claim_of(_DUE, "claimable")
_REST_OF_GROUP = _due(MOST_GROUPED, _IS_EARLIER, _IS_OUTSIDE).where(delivery.c.group_key == bindparam("key"))
_CLAIM_GROUP = _claim_of(_REST_OF_GROUP, "rest_of_group")
_SETTLE = update(delivery).where(
    delivery.c.id == bindparam("number"),
    delivery.c.state == _PENDING_AS_SQL,
    delivery.c.claimed_until == bindparam("token"),
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Some deliveries: those that meet every condition given; without any, all."""

    ids: tuple[int, ...] = ()
    notifier: str | None = None
    since: datetime | None = None
    """Those of events observed then or later."""


@dataclass(frozen=True, slots=True)
class Pending:
    """What is owed to one notifier."""

    count: int
    oldest: datetime
    """Since when the oldest could have gone out; in the future when all are held back."""


def pending(connection: Connection) -> dict[str, Pending]:
    """Sum up what is owed to each notifier that is owed anything."""
    rows = connection.execute(
        select(delivery.c.notifier, func.count(), func.min(_OWED_SINCE))
        .select_from(delivery.outerjoin(transition, _IS_TRANSITION).outerjoin(condition_event, _IS_CONDITION_EVENT))
        .where(delivery.c.state == _PENDING_AS_SQL)
        .group_by(delivery.c.notifier)
    )
    return {notifier: Pending(count, oldest) for notifier, count, oldest in rows}


def find_due_deliveries(connection: Connection, capacity: Mapping[str, int], now: datetime) -> dict[str, int]:
    """Count the due deliveries of each notifier that has any, up to its capacity."""
    found = {
        notifier: len(connection.scalars(_DUE, {"to_notifier": notifier, "now": now, "capacity": limit}).all())
        for notifier, limit in capacity.items()
        if limit > 0
    }
    return {notifier: count for notifier, count in found.items() if count}


def claim(connection: Connection, due: Mapping[str, int], now: datetime, until: datetime) -> list[Delivery]:
    """Claim up to so many due deliveries of each notifier, the longest due first."""
    claimed: list[int] = []
    for notifier, count in due.items():
        wanted = {"to_notifier": notifier, "now": now, "capacity": count, "until": until}
        found = list(connection.scalars(_CLAIM, wanted))
        claimed += found + _rest_of_groups(connection, found, wanted)
    if not claimed:
        return []
    statement = select_deliveries().where(delivery.c.id.in_(claimed)).order_by(delivery.c.next_at, delivery.c.id)
    overtaken = set(connection.scalars(_OVERTAKEN, {"claimed": claimed, "now": now}))
    deliveries = [
        replace(each, is_overtaken=each.id in overtaken) for each in map(delivery_of, connection.execute(statement))
    ]
    return _with_receipts(connection, deliveries)


def _rest_of_groups(connection: Connection, claimed: Sequence[int], wanted: Mapping[str, Any]) -> list[int]:
    """Claim what waits under the same keys as what was claimed: it goes out in the same message."""
    if not claimed:
        return []
    keys = select(delivery.c.group_key).distinct().where(delivery.c.id.in_(claimed), delivery.c.group_key.is_not(None))
    found = {key: connection.scalars(_CLAIM_GROUP, {**wanted, "key": key}) for key in connection.scalars(keys).all()}
    return [number for rest in found.values() for number in rest]


def _with_receipts(connection: Connection, deliveries: Sequence[Delivery]) -> list[Delivery]:
    subjects = {each.event.thread for each in deliveries}
    known = {
        (notifier, subject): value
        for notifier, subject, value in connection.execute(
            select(receipt.c.notifier, receipt.c.subject, receipt.c.receipt).where(
                receipt.c.notifier.in_({each.notifier for each in deliveries}), receipt.c.subject.in_(subjects)
            )
        )
    }
    if not known:
        return list(deliveries)
    return [replace(each, previous_receipt=known.get((each.notifier, each.event.thread))) for each in deliveries]


def settle(connection: Connection, settlements: Sequence[Settlement]) -> None:
    """Write what attempts came to, where the claim still holds."""
    in_order = sorted(settlements, key=lambda each: each.delivery.id)
    if without := [_settled(each) for each in in_order if each.receipt is None]:
        connection.execute(_SETTLE, without)
    for each in in_order:
        # Of two watchers that sent the same, the one that holds the claim says which message is updated later.
        if each.receipt is not None and connection.execute(_SETTLE, _settled(each)).rowcount:
            _keep_receipt(connection, each, each.receipt)


def _keep_receipt(connection: Connection, settlement: Settlement, value: str) -> None:
    notifier, subject = settlement.delivery.notifier, settlement.delivery.event.thread
    is_its = and_(receipt.c.notifier == notifier, receipt.c.subject == subject)
    values = {"receipt": value, "updated_at": settlement.next_at}
    if not connection.execute(update(receipt).where(is_its).values(values)).rowcount:
        connection.execute(insert(receipt).values(notifier=notifier, subject=subject, **values))


def list_deliveries(
    connection: Connection,
    states: Collection[DeliveryState] | None,
    notifier: str | None,
    limit: int,
    before: int | None = None,
) -> list[Delivery]:
    """Return up to `limit` deliveries, the newest first: in these states, to this notifier, before this id."""
    newest = select(delivery.c.id).order_by(delivery.c.id.desc()).limit(limit)
    if states is not None:
        newest = newest.where(delivery.c.state.in_([state.value for state in states]))
    if notifier is not None:
        newest = newest.where(delivery.c.notifier == notifier)
    if before is not None:
        newest = newest.where(delivery.c.id < before)
    # First which ones, then what they hold: sorting whole documents would take long.
    statement = select_deliveries().where(delivery.c.id.in_(newest)).order_by(delivery.c.id.desc())
    return list(map(delivery_of, connection.execute(statement)))


def requeue(connection: Connection, selection: Selection, now: datetime) -> int:
    """Make pending and dead deliveries due now; claims stay valid. Return how many."""
    is_held = delivery.c.claimed_until > now
    return _change(
        connection,
        selection,
        {
            "state": _PENDING,
            "next_at": now,
            "give_up_at": now + SERVICE_RETRY_POLICY.give_up_after,
            "claimed_until": case((is_held, delivery.c.claimed_until), else_=None),
            "settled_at": None,
        },
    )


def discard(connection: Connection, selection: Selection, now: datetime) -> int:
    """Give up pending and dead deliveries for good. Return how many."""
    return _change(
        connection,
        selection,
        {"state": DeliveryState.DISCARDED.value, "claimed_until": None, "settled_at": now},
    )


def _change(connection: Connection, selection: Selection, values: Mapping[str, Any]) -> int:
    is_open = delivery.c.state.in_([state.value for state in _OPEN])
    return connection.execute(update(delivery).where(is_open, *_conditions(selection)).values(values)).rowcount


def _conditions(selection: Selection) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if selection.ids:
        conditions.append(delivery.c.id.in_(selection.ids))
    if selection.notifier is not None:
        conditions.append(delivery.c.notifier == selection.notifier)
    if selection.since is not None:
        of_job = select(transition.c.seq).where(_IS_TRANSITION, transition.c.observed_at >= selection.since)
        of_condition = select(condition_event.c.seq).where(_IS_CONDITION_EVENT, condition_event.c.at >= selection.since)
        conditions.append(or_(of_job.exists(), of_condition.exists()))
    return conditions


def _settled(settlement: Settlement) -> dict[str, Any]:
    is_over = settlement.state is not DeliveryState.PENDING
    return {
        "number": settlement.delivery.id,
        "token": settlement.delivery.claimed_until,
        "state": settlement.state.value,
        "attempts": settlement.delivery.attempts + (settlement.state is not DeliveryState.SUPERSEDED),
        "next_at": settlement.next_at,
        "last_error": settlement.error and printable(settlement.error),
        "answer": settlement.answer,
        "claimed_until": None,
        # An attempt that ends a delivery leaves the time of the attempt as the next one.
        "settled_at": settlement.next_at if is_over else None,
    }
