"""A model of the store: a few dictionaries that say what must be in it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tests.doubles import transition_of
from watcher.domain.deliveries import SERVICE_RETRY_POLICY, Delivery, DeliveryState, Settlement
from watcher.domain.jobs import Job, JobKey
from watcher.domain.states import is_terminal
from watcher.domain.transitions import Transition
from watcher.engine.ports import Change

PENDING = DeliveryState.PENDING

Owed = tuple[JobKey, int, str]
"""A delivery: of which job's transition, by its number, to whom."""


def name(delivery: Delivery) -> Owed:
    """Return which delivery it is."""
    return (transition_of(delivery).key, transition_of(delivery).seq, delivery.notifier)


@dataclass
class Model:
    """What must be in the store."""

    jobs: dict[JobKey, Job] = field(default_factory=dict)
    removed: set[JobKey] = field(default_factory=set)
    transitions: dict[JobKey, list[Transition]] = field(default_factory=dict)
    deliveries: dict[Owed, Delivery] = field(default_factory=dict)

    def is_over(self, job: JobKey) -> bool:
        return job in self.removed or is_terminal(self.jobs[job].state)

    def is_first_in_line(self, recipients: Owed) -> bool:
        return not any(
            other[0] == recipients[0]
            and other[2] == recipients[2]
            and other[1] < recipients[1]
            and delivery.state is PENDING
            for other, delivery in self.deliveries.items()
        )

    def is_due(self, recipients: Owed, now: datetime) -> bool:
        delivery = self.deliveries[recipients]
        is_free = delivery.claimed_until is None or delivery.claimed_until <= now
        return delivery.state is PENDING and is_free and delivery.next_at <= now and self.is_first_in_line(recipients)

    def has(self, change: Change) -> bool:
        """Return whether the transition is there already, from who saw the same."""
        news, recorded = change.transition, self.transitions.get(change.job.key, ())
        return news is not None and (news.seq, news.status) in {(each.seq, each.status) for each in recorded}

    def accept(self, change: Change) -> None:
        transition = change.transition
        assert transition is not None
        self.jobs[change.job.key] = change.job
        self.transitions[change.job.key].append(transition)
        for notifier in (each.notifier for each in change.recipients):
            give_up_at = transition.observed_at + SERVICE_RETRY_POLICY.give_up_after
            recipients = Delivery(0, notifier, transition, PENDING, 0, transition.observed_at, give_up_at)
            self.deliveries[change.job.key, transition.seq, notifier] = recipients

    def settle(self, settlement: Settlement) -> None:
        now = self.deliveries[name(settlement.delivery)]
        if now.state is not PENDING or now.claimed_until != settlement.delivery.claimed_until:
            return  # another watcher holds it, or it is settled
        self.deliveries[name(settlement.delivery)] = replace(
            now,
            state=settlement.state,
            attempts=settlement.delivery.attempts + 1,
            next_at=settlement.next_at,
            claimed_until=None,
            last_error=settlement.error,
            answer=settlement.answer,
            settled_at=None if settlement.state is PENDING else settlement.next_at,
        )

    def cap_waits(self, now: datetime, beyond: timedelta) -> int:
        far, count = now + beyond, 0
        for job in self.jobs.values():
            if job.due_at and job.due_at > far:
                self.jobs[job.key] = job._replace(due_at=now)
                count += 1
        for recipients, delivery in self.deliveries.items():
            is_held_too_long = bool(delivery.claimed_until and delivery.claimed_until > far)
            if delivery.state is not PENDING or (delivery.claimed_until and not is_held_too_long):
                continue
            is_far = delivery.next_at > (far if delivery.attempts else now)
            next_at = now if is_far else delivery.next_at
            self.deliveries[recipients] = replace(delivery, claimed_until=None, next_at=next_at)
            count += is_held_too_long + is_far
        return count

    def requeue(self, to: str, now: datetime) -> int:
        meant = self._open_ones(to)
        for recipients, delivery in meant.items():
            is_held = bool(delivery.claimed_until and delivery.claimed_until > now)
            self.deliveries[recipients] = replace(
                delivery,
                state=PENDING,
                next_at=now,
                give_up_at=now + SERVICE_RETRY_POLICY.give_up_after,
                claimed_until=delivery.claimed_until if is_held else None,
                settled_at=None,
            )
        return len(meant)

    def discard(self, to: str, now: datetime) -> int:
        meant = self._open_ones(to)
        for recipients, delivery in meant.items():
            self.deliveries[recipients] = replace(
                delivery, state=DeliveryState.DISCARDED, claimed_until=None, settled_at=now
            )
        return len(meant)

    def _open_ones(self, to: str) -> dict[Owed, Delivery]:
        is_open = {PENDING, DeliveryState.DEAD}
        return {
            recipients: it for recipients, it in self.deliveries.items() if recipients[2] == to and it.state in is_open
        }
