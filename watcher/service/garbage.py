"""Full collections of garbage stay short, however much the service keeps.

A full collection stops the process while it looks at every object that may be part of a cycle: with 50,000 jobs for
0.3 s, several times a minute, and found some thirty objects. What has survived one is left out of the next ones, until
`look_at_all`. Collections of what is new are fewer than Python has them: see `NEW_OBJECTS`.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

NEW_OBJECTS = 20_000
"""So many more than before make a collection worthwhile: a claim makes thousands, which stay until the next one."""
_FULL = 2
"""The generation that a full collection is of."""


@contextmanager
def short_collections() -> Iterator[None]:
    """Have each full collection look only at what came since the last one."""
    usual = gc.get_threshold()
    gc.set_threshold(NEW_OBJECTS, *usual[1:])
    gc.callbacks.append(_leave_out_survivors)
    try:
        yield
    finally:
        gc.callbacks.remove(_leave_out_survivors)
        gc.set_threshold(*usual)
        look_at_all()


def look_at_all() -> None:
    """Have the next full collection look at everything: what was kept for long may be garbage by now."""
    gc.unfreeze()


def _leave_out_survivors(phase: str, info: Mapping[str, Any]) -> None:
    if phase == "stop" and info["generation"] == _FULL:
        gc.freeze()
