"""What notifiers are sent: a transition of a job, or a change of a condition."""

from __future__ import annotations

from watcher.domain.conditions import ConditionChange
from watcher.domain.transitions import Transition

Event = Transition | ConditionChange
"""Both have `id`, `type`, `subject`, `thread`, `seq`, `at`, `labels` and `title`. One subject's are sent in order."""
