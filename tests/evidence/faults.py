"""Every fault of an API, each by itself and all mixed, as scripts of the simulator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random

from tests.e2e.settings import API_KEY
from tests.evidence.random_jobs import STATUS_PATHS, random_jobs
from watcher.simulator.script import Endpoint, Fault, FaultKind, JobScript, Script, Step

JOBS_EACH = 2
JOBS_MIXED = 24
JOBS_LISTED = 30
LISTED_SPAN = timedelta(seconds=12)
MIXED = "mixed"
"""The source whose jobs meet several faults each."""
LISTED = "listed"
"""The source that is polled by list pages, some of which are faulty."""
SHARE_SKIPPED = 0.25
"""The share of the statuses that end before they are reported."""
UNKNOWN_HOST, UNKNOWN_AUTHORITY, EXPIRED = "unknown-host", "unknown-authority", "expired"
UNREACHABLE = {
    UNKNOWN_HOST: "Name or service not known",
    UNKNOWN_AUTHORITY: "TLS certificate not accepted: its issuer is not trusted",
    EXPIRED: "TLS certificate not accepted: it has expired",
}
"""The sources that cannot be reached at first, and the error that the watcher logs for each."""
_BIG = 10 * 1024 * 1024
_QUOTA = {"message": "You exceeded your current quota.", "type": "insufficient_quota", "code": "insufficient_quota"}
_UNKNOWN = {"message": "Could not find fine tune", "type": "invalid_request_error", "code": "fine_tune_not_found"}


@dataclass(frozen=True)
class Case:
    """A kind of fault, at a source of its own."""

    name: str
    """Also the name of its source."""
    faults: Sequence[Fault]
    """The faults that each job of the source meets."""
    is_slow: bool = False
    """Whether the watcher does not poll the source for a minute or longer after the fault."""

    @property
    def faulty_answers(self) -> int:
        """The number of faulty answers for each job."""
        return sum(fault.times or 0 for fault in self.faults)


def cases(now: datetime) -> list[Case]:
    """Return every case; the dates in its answers are relative to `now`."""
    return [
        *_limits(now),
        *(Case(f"burst-{code}", [Fault(status_code=code, times=4, at=2)]) for code in (500, 502, 503)),
        Case("unauthorised", [Fault(status_code=401, at=2)], is_slow=True),
        Case("no-quota", [Fault(status_code=429, error=_QUOTA, at=2)], is_slow=True),
        Case("just-created", [Fault(status_code=404, error=_UNKNOWN, times=2)]),
        Case("hang", [Fault(FaultKind.HANG, times=2, at=2)]),
        Case("drip", [Fault(FaultKind.DRIP, times=2, at=2, pause=timedelta(milliseconds=20))]),
        Case("reset", [Fault(FaultKind.RESET, times=2, at=2)]),
        Case("reset-mid-body", [Fault(FaultKind.RESET_MID_BODY, times=2, at=2)]),
        Case("html", [Fault(FaultKind.MALFORMED, times=2, at=2)]),
        Case("truncated", [Fault(FaultKind.TRUNCATED_JSON, times=2, at=2)]),
        Case("wrong-id", [Fault(FaultKind.WRONG_ID, times=2, at=2)]),
        Case("no-status", [Fault(FaultKind.NO_STATUS, times=2, at=2)]),
        Case("oversized", [Fault(FaultKind.OVERSIZED, times=2, at=2, size=_BIG)]),
        Case("redirect", [Fault(FaultKind.REDIRECT, status_code=302, times=2, at=2)]),
        *(Case(name, ()) for name in UNREACHABLE),
    ]


def scripts(random: Random, cases: Sequence[Case]) -> Mapping[str, Script]:
    """Return a script for each case by the name of its source, and two scripts that mix the cases that are not slow."""
    alone = {
        case.name: Script(
            tuple(_job(random, f"ftjob-{case.name}-{number}", case.faults) for number in range(JOBS_EACH)),
            api_key=API_KEY,
        )
        for case in cases
    }
    quick = [fault for case in cases if not case.is_slow for fault in case.faults]
    listed = Script(_listed(random), faults=tuple(_page_faults(quick)), api_key=API_KEY)
    mixed = tuple(_job(random, f"ftjob-{MIXED}-{number}", list(_drawn(random, quick))) for number in range(JOBS_MIXED))
    return alone | {MIXED: Script(mixed, api_key=API_KEY), LISTED: listed}


def _limits(now: datetime) -> Iterator[Case]:
    """Yield rate limits with every form of Retry-After; the watcher ignores invalid ones and bounds long ones."""
    soon, past = (format_datetime(now.astimezone(UTC) + timedelta(seconds=s), usegmt=True) for s in (4, -3600))
    quick = {
        "silent": {},
        "seconds": {"retry-after": "1"},
        "fraction": {"retry-after": "0.2"},
        "milliseconds": {"retry-after-ms": "300", "retry-after": "60"},
        "date": {"retry-after": soon},
        "past": {"retry-after": past},
        "negative": {"retry-after": "-5"},
        "word": {"retry-after": "soon"},
        "nan": {"retry-after": "NaN"},
        "infinite": {"retry-after": "inf"},
        "nothing": {"retry-after": ""},
    }
    slow = {
        "ages": {"retry-after": "1e12"},
        "ages-in-milliseconds": {"retry-after-ms": "1e300"},
        "distant-date": {"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"},
    }
    for name, headers in (quick | slow).items():
        yield Case(f"limit-{name}", [Fault(status_code=429, headers=headers, at=2)], is_slow=name in slow)


def _job(random: Random, job_id: str, faults: Sequence[Fault]) -> JobScript:
    """Return a job whose statuses end after they were reported, except for some that are skipped.

    Each is reported four times: a reload drops the requests in flight, and a busy machine reads some answers too late.
    """
    first, *others, last = random.choice(STATUS_PATHS)
    steps = [Step(first, polls=3)]  # faults come with the second request at the earliest
    for status in others:
        is_skipped = random.random() < SHARE_SKIPPED
        steps.append(Step(status, lasts=timedelta()) if is_skipped else Step(status, polls=4))
    return JobScript(job_id, (*steps, Step(last)), faults=tuple(faults))


def _listed(random: Random) -> tuple[JobScript, ...]:
    """Return jobs that change by the clock, so that a list page and a retrieve may report different statuses.

    The clock counts from the sixth report of each: a faulty page comes before that, however late the watcher starts.
    """
    jobs = random_jobs(random, JOBS_LISTED, LISTED_SPAN)
    begun = [(Step(job.steps[0].status, polls=6), *job.steps[1:]) for job in jobs]
    return tuple(replace(job, id=f"ftjob-listed-{job.id}", steps=steps) for job, steps in zip(jobs, begun, strict=True))


def _page_faults(faults: Sequence[Fault]) -> Iterator[Fault]:
    """Yield each of the faults for every third page, and one answer that the list does not exist."""
    once = [replace(fault, times=1) for fault in (*faults, Fault(status_code=405))]
    for number, fault in enumerate({repr(fault): fault for fault in once}.values(), 1):
        yield replace(fault, at=3 * number, endpoint=Endpoint.LIST)


def _drawn(random: Random, faults: Sequence[Fault]) -> Iterator[Fault]:
    at = 0
    for fault in random.sample(faults, 3):
        at += random.randint(1, 3)
        yield replace(fault, at=at, times=random.randint(1, 2))
