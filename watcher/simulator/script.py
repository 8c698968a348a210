"""What a simulated API does: its jobs, the steps they go through, and what goes wrong on the way.

`load_script` reads a script from a TOML file; tests build the same values in Python.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from watcher.domain.jobs import ID_RULE, Status, is_job_id
from watcher.errors import ConfigurationError
from watcher.simulator.table import Table

DEFAULT_MODEL = "gpt-4o-mini-2024-07-18"
BIG_BODY_BYTES = 5 * 1024 * 1024
"""The size of an oversized body, unless a script says otherwise: more than the watcher accepts."""


class Method(StrEnum):
    """How a job trains."""

    SUPERVISED = "supervised"
    DPO = "dpo"
    REINFORCEMENT = "reinforcement"


class Grader(StrEnum):
    """What marks the answers of a reinforcement job."""

    STRING_CHECK = "string_check"
    TEXT_SIMILARITY = "text_similarity"
    PYTHON = "python"
    SCORE_MODEL = "score_model"
    MULTI = "multi"


class FaultKind(StrEnum):
    """What goes wrong with a request."""

    STATUS = "status"
    """An answer with another status code."""
    HANG = "hang"
    """No answer, ever."""
    RESET = "reset"
    """The connection is reset instead of an answer."""
    RESET_MID_BODY = "reset_mid_body"
    """The connection is reset after half of the body."""
    DRIP = "drip"
    """The answer comes byte by byte."""
    MALFORMED = "malformed"
    """An HTML page with status 200."""
    TRUNCATED_JSON = "truncated_json"
    """A complete HTTP answer whose JSON ends half-way."""
    WRONG_ID = "wrong_id"
    """The object of another job."""
    NO_STATUS = "no_status"
    """A job object without its status."""
    OVERSIZED = "oversized"
    """A body of `size` bytes."""
    REDIRECT = "redirect"
    """A redirect, to somewhere else on the same server."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong, and when. With neither `at` nor `before` it happens at once."""

    kind: FaultKind = FaultKind.STATUS
    times: int | None = 1
    """How many requests it spoils; None for all from then on."""
    at: int | None = None
    """The request it begins with, from 1: of the job, or of the server for a fault of all jobs."""
    before: str | None = None
    """It comes before the first answer that would say this status."""
    status_code: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    error: Mapping[str, Any] | None = None
    """The error object of the body, when no `body` is given."""
    size: int = BIG_BODY_BYTES
    pause: timedelta = timedelta(milliseconds=200)
    """The pause before each byte of a drip."""


@dataclass(frozen=True, slots=True)
class Step:
    """A status that a job has for some time. With neither bound it stays so."""

    status: str
    lasts: timedelta | None = None
    """How long, by the simulator's clock."""
    polls: int | None = None
    """After how many answers that said so the job moves on."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the job object that have another value than usual during this step."""


@dataclass(frozen=True, slots=True)
class JobScript:
    """What one job is, and what becomes of it."""

    id: str
    steps: tuple[Step, ...] = (Step(Status.VALIDATING_FILES),)
    faults: tuple[Fault, ...] = ()
    method: Method = Method.SUPERVISED
    grader: Grader = Grader.STRING_CHECK
    model: str = DEFAULT_MODEL
    suffix: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    """Why it fails, when it fails."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the job object that have another value than usual."""


@dataclass(frozen=True, slots=True)
class Script:
    """What the simulated API does."""

    jobs: tuple[JobScript, ...] = ()
    faults: tuple[Fault, ...] = ()
    """What goes wrong whichever job is asked for."""
    api_key: str | None = None
    """The only key that is let in; None lets everybody in."""
    latency: timedelta | None = None
    """How long each answer takes, in real time."""


def load_script(path: Path) -> Script:
    """Read a script. Raises ConfigurationError with every mistake found."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot read it: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: not UTF-8 text") from None
    except RecursionError:
        raise ConfigurationError(f"{path}: nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: not TOML: {error}") from None
    mistakes: list[str] = []
    script = _read_script(Table(document, "", mistakes))
    if mistakes:
        raise ConfigurationError(*(f"{path}: {mistake}" for mistake in mistakes))
    return script


def _read_script(table: Table) -> Script:
    script = Script(
        jobs=tuple(_read_job(job) for job in table.tables("jobs")),
        faults=tuple(_read_fault(fault) for fault in table.tables("faults")),
        api_key=table.text("api_key"),
        latency=table.duration("latency"),
    )
    table.refuse_the_rest()
    _refuse_twins(script, table)
    return script


def _refuse_twins(script: Script, table: Table) -> None:
    seen: set[str] = set()
    for index, job in enumerate(script.jobs):
        if job.id and job.id in seen:
            table.complain(f"jobs[{index}].id", f"{job.id!r} is the id of an earlier job")
        seen.add(job.id)


def _read_job(table: Table) -> JobScript:
    job = JobScript(
        id=table.text("id", required=True) or "",
        steps=_read_steps(table),
        faults=tuple(_read_fault(fault) for fault in table.tables("faults")),
        method=table.choice("method", Method.SUPERVISED),
        grader=table.choice("grader", Grader.STRING_CHECK),
        model=table.text("model") or DEFAULT_MODEL,
        suffix=table.text("suffix"),
        metadata=table.texts("metadata"),
        error=table.mapping("error"),
        fields=table.mapping("fields") or {},
    )
    table.refuse_the_rest()
    if job.id and not is_job_id(job.id):
        table.complain("id", f"{job.id!r} is not a job id: expected {ID_RULE}")
    statuses = {step.status for step in job.steps}
    for index, fault in enumerate(job.faults):
        if fault.before and fault.before not in statuses:
            table.complain(f"faults[{index}].before", f"no step of the job has the status {fault.before!r}")
    return job


def _read_steps(table: Table) -> tuple[Step, ...]:
    tables = table.tables("steps", required=True)
    return tuple(_read_step(step, is_last=step is tables[-1]) for step in tables)


def _read_step(table: Table, *, is_last: bool) -> Step:
    step = Step(
        status=table.text("status", required=True) or "",
        lasts=table.duration("for"),
        polls=table.count("polls"),
        fields=table.mapping("fields") or {},
    )
    bounds = table.given("for", "polls")
    table.refuse_the_rest()
    if is_last and bounds:
        table.complain(bounds[0], "the last step lasts for ever")
    elif not is_last and len(bounds) != 1:
        table.complain("", "expected either 'for' or 'polls', to say when the next step begins")
    return step


def _read_fault(table: Table) -> Fault:
    usual = Fault()
    status_code = table.count("status_code", least=200, most=599)
    fault = Fault(
        kind=table.choice("kind", FaultKind.STATUS),
        times=None if table.says("times", "always") else table.count("times") or 1,
        at=table.count("at"),
        before=table.text("before"),
        status_code=status_code or usual.status_code,
        headers=table.headers("headers"),
        body=table.text("body"),
        error=table.mapping("error"),
        size=table.count("bytes") or usual.size,
        pause=table.duration("pause") or usual.pause,
    )
    _check_fault(fault, table)
    table.refuse_the_rest()
    return fault


def _check_fault(fault: Fault, table: Table) -> None:
    if not table.given("kind", "status_code"):
        table.complain("", "expected 'kind' or 'status_code', to say what goes wrong")
    if table.given("kind") and not table.says("kind", fault.kind):
        return  # it is not known what the other keys should mean
    for key, kinds in _ONLY_FOR.items():
        if table.given(key) and fault.kind not in kinds:
            table.complain(key, f"means nothing to a fault of the kind {fault.kind.value!r}")
    for one, other in (("at", "before"), ("body", "error")):
        if table.given(one, other) == [one, other]:
            table.complain(other, f"expected either {one!r} or {other!r}, not both")


_ONLY_FOR: Mapping[str, set[FaultKind]] = {
    "status_code": {FaultKind.STATUS, FaultKind.REDIRECT},
    "body": {FaultKind.STATUS, FaultKind.MALFORMED},
    "error": {FaultKind.STATUS},
    "bytes": {FaultKind.OVERSIZED},
    "pause": {FaultKind.DRIP},
}
"""The keys that only some kinds of fault understand."""
