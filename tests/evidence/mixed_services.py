"""Services of several kinds whose jobs come one after the other, and rules that find them: none is named."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any

from tests.e2e.settings import API_KEY
from tests.evidence.environment import Environment
from tests.evidence.random_jobs import random_jobs
from watcher.simulator.script import DialectName, Script

MIXED_KINDS = (
    DialectName.OPENAI,
    DialectName.AZURE,
    DialectName.TOGETHER,
    DialectName.VERTEX,
    DialectName.BEDROCK,
)
"""Lists in known and in unknown order, in pages and whole; ids in the body in four places."""


def services(kinds: Sequence[DialectName], latency: timedelta) -> dict[str, Script]:
    """Return a service of each kind, which has no jobs yet, by the name of its source."""
    return {str(kind): Script(api_key=API_KEY, latency=latency, dialect=kind) for kind in kinds}


def rules(kinds: Sequence[DialectName]) -> list[dict[str, Any]]:
    """Return a rule for each service, which wants all of its jobs, also those that ended before it was first asked."""
    return [{"source": str(kind), "backfill": "1d"} for kind in kinds]


class Arrivals:
    """The jobs that come to the services of an environment, in turn."""

    def __init__(self, environment: Environment, random: Random, count: int, span: timedelta) -> None:
        """Each job ends within the span from when it came."""
        each = -(-count // len(environment.apis))
        drawn = {name: random_jobs(random, each, span, prefix=name) for name in environment.apis}
        self._environment = environment
        self._coming = [(name, jobs[number]) for number in range(each) for name, jobs in drawn.items()]
        self._count = 0

    def bring(self, share: float) -> None:
        """Let the jobs come, up to this share of them."""
        wanted = round(min(share, 1.0) * len(self._coming))
        for name, job in self._coming[self._count : wanted]:
            self._environment.apis[name].add_job(job)
        self._count = max(self._count, wanted)
