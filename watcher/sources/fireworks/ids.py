"""How jobs of Fireworks AI are named: by an id of their own, behind the kind of job unless that is the usual one."""

from __future__ import annotations

import re

from watcher.plugins.source import any_id

SUPERVISED = "supervisedFineTuningJobs"
KINDS = (SUPERVISED, "dpoJobs", "reinforcementFineTuningJobs")
"""The kinds of jobs, as they stand in paths and in the names of jobs; each has a list of its own."""
_NAME = re.compile(rf"(?:accounts/[^/]+/)?({'|'.join(KINDS)})/(.+)")


def job_id(kind: str, own_id: str) -> str:
    """Return the id by which the watcher knows a job: `krj8aa92`, or `dpoJobs/krj8aa92`."""
    return own_id if kind == SUPERVISED else f"{kind}/{own_id}"


def kind_and_own_id(text: str) -> tuple[str, str]:
    """Return the kind of the job that the watcher knows by this id, and what it is called among those."""
    kind, slash, own_id = text.partition("/")
    return (kind, own_id) if slash and kind in KINDS else (SUPERVISED, text)


def read_id(text: str) -> str:
    """Return the id of a job that may be named whole, `accounts/…/dpoJobs/…`. Raises ValueError."""
    if named := _NAME.fullmatch(any_id(text)):
        return job_id(named[1], named[2])
    if text.startswith("accounts/"):
        raise ValueError(
            f"a job id, or a name such as accounts/example/{SUPERVISED}/krj8aa92 (or {', '.join(KINDS[1:])})"
        )
    return text
