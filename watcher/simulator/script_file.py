"""A script of the simulator, read from a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from watcher.domain.jobs import ID_RULE, is_job_id
from watcher.errors import ConfigurationError
from watcher.simulator.script import (
    DEFAULT_MODEL,
    DialectName,
    Endpoint,
    Fault,
    FaultKind,
    Grader,
    JobScript,
    Method,
    Script,
    Step,
    Training,
)
from watcher.simulator.toml_table import Table


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
    usual = Script()
    script = Script(
        jobs=tuple(_read_job(job) for job in table.tables("jobs")),
        faults=tuple(_read_fault(fault) for fault in table.tables("faults")),
        api_key=table.text("api_key"),
        latency=table.duration("latency"),
        dialect=table.choice("dialect", DialectName.OPENAI),
        endpoints=table.some_of("endpoints", Endpoint) or usual.endpoints,
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
        training=table.choice("training", Training.CONVERGES),
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
        if fault.endpoint is Endpoint.LIST:
            table.complain(f"faults[{index}].endpoint", "a page of the list is not of one job: expected in [[faults]]")
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
        endpoint=table.one_of("endpoint", Endpoint),
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
