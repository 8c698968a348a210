"""Collections of garbage are few and short, however much the service keeps.

A full collection stops the process while it looks at every object that may be part of a cycle: with 50,000 jobs for
0.3 s, and it finds some thirty objects. So each one looks only at what came since the last one. What outlived one and
becomes garbage later is found by `look_at_all`, unless that would take too long: then it stays. So nothing large may
become part of a cycle: the parts of the service that end at a reload let go of what they kept of each job, and a
request that fails lets go of its answer.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

THRESHOLDS = (20_000, 1, 0)
"""Of the three generations: so many new objects make a collection of the youngest, for the jobs of a claim are
thousands that stay until the next one; and a full one looks at some 80,000, which takes 20 to 80 ms."""
_FULL = 2
"""The generation that a full collection is of."""
MOST_LOOKED_AT = 150_000
"""How many objects may be looked at once more; the program without any job makes some 80,000."""


@contextmanager
def short_collections() -> Iterator[None]:
    """Have each full collection look only at what came since the last one; the first one, at what comes from now on."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    gc.callbacks.append(_leave_out_survivors)
    try:
        yield
    finally:
        gc.callbacks.remove(_leave_out_survivors)
        gc.set_threshold(*before)
        gc.unfreeze()


def look_at_all(most: int = MOST_LOOKED_AT) -> None:
    """Have the next full collection look at everything that is kept, unless it is more than so many objects."""
    if gc.get_freeze_count() <= most:
        gc.unfreeze()


def _leave_out_survivors(phase: str, info: Mapping[str, Any]) -> None:
    if phase == "stop" and info["generation"] == _FULL:
        gc.freeze()
