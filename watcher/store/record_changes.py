"""What polls learned: a job's new state, its events and the deliveries owed for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Connection, and_, bindparam, insert, select, update

from watcher.domain.jobs import JobKey
from watcher.domain.notifications import muted
from watcher.domain.text import printable
from watcher.domain.transitions import Transition
from watcher.engine.ports import Change
from watcher.store.conditions import record_findings, without_needless
from watcher.store.jobs import rows_by_key
from watcher.store.many_rows import insert_rows, update_rows
from watcher.store.notifications import release, row_of_planned
from watcher.store.rows import row_of_transition, text_of_facts
from watcher.store.schema import delivery, job, transition
from watcher.store.silences import silences_since

_Numbers = dict[JobKey, int]
"""The numbers of the jobs' rows."""

# Jobs that another watcher has moved or removed meanwhile are left alone.
_UPDATE = update(job).where(job.c.id == bindparam("number"), job.c.seq == bindparam("seen"), job.c.removed_at.is_(None))
_INSERT_TRANSITION = insert(transition).inline()
_INSERT_DELIVERY = insert(delivery).inline()


def record(connection: Connection, changes: Sequence[Change]) -> set[JobKey]:
    """Write the changes; return the jobs of the transitions that came too late and were dropped."""
    numbers = {key: int(row.id) for key, row in rows_by_key(connection, {change.job.key for change in changes}).items()}
    # In one order for all processes, so that none waits for another for ever; the changes of one job stay in theirs.
    known = sorted((change for change in changes if change.job.key in numbers), key=lambda c: numbers[c.job.key])
    late = {change.job.key for change in changes if change.transition and change.job.key not in numbers}
    late |= _move(connection, [change for change in known if change.transition], numbers)
    if rest := [_state(change, numbers) for change in known if not change.transition and change.job.key not in late]:
        update_rows(connection, _UPDATE, rest)
    findings = [each for change in known if change.job.key not in late for each in change.conditions]
    record_findings(connection, without_needless(connection, findings), watcher="")
    return late


def _move(connection: Connection, moves: Sequence[Change], numbers: _Numbers) -> set[JobKey]:
    if not moves:
        return set()
    if not _are_all_moved(connection, [_state(change, numbers) for change in moves]):
        moves, late = _move_singly(connection, moves, numbers)
    else:
        late = set()
    _keep(connection, moves, numbers)
    return late


def _are_all_moved(connection: Connection, states: Sequence[dict[str, Any]]) -> bool:
    """Write all states at once, which is what usually succeeds, or none."""
    with connection.begin_nested() as savepoint:
        if update_rows(connection, _UPDATE, states) == len(states):
            return True
        savepoint.rollback()
    return False


def _move_singly(
    connection: Connection, moves: Sequence[Change], numbers: _Numbers
) -> tuple[list[Change], set[JobKey]]:
    """Write one state after the other; return the changes made, and the jobs that others had moved."""
    made: list[Change] = []
    late: set[JobKey] = set()
    for change in moves:
        if change.job.key in late:
            continue  # what follows on a change that came too late is void, even if its number happens to fit
        if update_rows(connection, _UPDATE, [_state(change, numbers)]):
            made.append(change)
        elif not _is_kept(connection, change, numbers):
            late.add(change.job.key)
    return made, late


def _is_kept(connection: Connection, change: Change, numbers: _Numbers) -> bool:
    """Return whether the transition exists: from a commit whose answer was lost, or from another watcher."""
    news = cast(Transition, change.transition)
    is_same = and_(
        transition.c.job == numbers[change.job.key],
        transition.c.seq == news.seq,
        transition.c.status == news.status,
    )
    return connection.execute(select(transition.c.seq).where(is_same)).first() is not None


def _keep(connection: Connection, moves: Sequence[Change], numbers: _Numbers) -> None:
    """Write the transitions, and what is owed for them."""
    kept = [(numbers[change.job.key], change.transition, change.recipients) for change in moves if change.transition]
    if not kept:
        return
    insert_rows(connection, _INSERT_TRANSITION, [row_of_transition(number, news) for number, news, _ in kept])
    silences = silences_since(connection, [news.at for _, news, planned in kept if planned])
    wanted = [(number, news, muted(planned, news, silences, news.at)) for number, news, planned in kept]
    for number, news, planned in wanted:
        release(connection, planned, (delivery.c.job, number), news.at)
    owed = [row_of_planned(each, news, job=number) for number, news, planned in wanted for each in planned]
    if owed:
        insert_rows(connection, _INSERT_DELIVERY, owed)


def _state(change: Change, numbers: _Numbers) -> dict[str, Any]:
    now, forecast = change.job, change.job.forecast
    return {
        "number": numbers[now.key],
        "seen": change.seen,
        "status": now.status,
        "seq": now.seq,
        "status_since": now.status_since,
        "due_at": now.due_at,
        "failures": now.failures,
        "missing": now.missing,
        "last_error": now.last_error and printable(now.last_error),
        "forecast_at": forecast and forecast.at,
        "forecast_basis": forecast and forecast.basis.value,
        "forecast_made_at": forecast and forecast.made_at,
        "described_seq": now.seq,
        "state": now.state and now.state.value,
        "is_since_exact": now.is_since_exact,
        "facts": now.facts and text_of_facts(now.facts),
    }
