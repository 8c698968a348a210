"""Scripts are read from TOML; mistakes are reported all at once, each with the name of its key."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from watcher.domain.durations import DURATION_RULE
from watcher.domain.jobs import ID_RULE
from watcher.errors import ConfigurationError
from watcher.simulator.script import Endpoint, Fault, FaultKind, Grader, JobScript, Method, Script, Step
from watcher.simulator.script_file import load_script

EXAMPLE = Path(__file__).parents[3] / "config" / "simulation.toml"

JOB = '[[jobs]]\nid = "ftjob-1"\n'
STEPS = 'steps = [{ status = "running" }]\n'
KINDS = ", ".join(repr(kind.value) for kind in sorted(FaultKind))
ENDPOINTS = "'events', 'list', 'retrieve'"
FAULT = JOB + STEPS + "[[jobs.faults]]\n"


def load(tmp_path: Path, text: str) -> Script:
    path = tmp_path / "script.toml"
    path.write_text(text, encoding="utf-8")
    return load_script(path)


def mistakes(tmp_path: Path, text: str) -> list[str]:
    """Load a script that is wrong; return what is said of it, without the path that begins each line."""
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text)
    prefix = f"{tmp_path / 'script.toml'}: "
    assert all(mistake.startswith(prefix) for mistake in caught.value.mistakes)
    return [mistake.removeprefix(prefix) for mistake in caught.value.mistakes]


def test_a_script_is_read_as_it_is_meant(tmp_path: Path) -> None:
    script = load(
        tmp_path,
        """
        api_key = "sk-simulated"
        latency = "50ms"
        endpoints = ["retrieve", "events"]
        [[faults]]
        kind = "hang"
        endpoint = "list"
        at = 3
        [[jobs]]
        id = "ftjob-1"
        method = "reinforcement"
        grader = "python"
        model = "o4-mini-2025-04-16"
        suffix = "tagger"
        metadata = { team = "nlp" }
        error = { code = "x" }
        fields = { seed = 7 }
        steps = [
          { status = "queued", for = "1m30s" },
          { status = "running", polls = 2, fields = { trained_tokens = 5 } },
          { status = "failed" },
        ]
        [[jobs.faults]]
        status_code = 429
        headers = { retry-after = "1" }
        error = { code = "slow_down" }
        times = "always"
        before = "failed"
        [[jobs.faults]]
        kind = "oversized"
        bytes = 10
        [[jobs.faults]]
        kind = "drip"
        pause = 2
        times = 4
        """,
    )
    slow_down = Fault(
        times=None, before="failed", status_code=429, headers={"retry-after": "1"}, error={"code": "slow_down"}
    )
    assert script == Script(
        jobs=(
            JobScript(
                id="ftjob-1",
                steps=(
                    Step("queued", timedelta(seconds=90)),
                    Step("running", polls=2, fields={"trained_tokens": 5}),
                    Step("failed"),
                ),
                faults=(
                    slow_down,
                    Fault(FaultKind.OVERSIZED, size=10),
                    Fault(FaultKind.DRIP, times=4, pause=timedelta(seconds=2)),
                ),
                method=Method.REINFORCEMENT,
                grader=Grader.PYTHON,
                model="o4-mini-2025-04-16",
                suffix="tagger",
                metadata={"team": "nlp"},
                error={"code": "x"},
                fields={"seed": 7},
            ),
        ),
        faults=(Fault(FaultKind.HANG, endpoint=Endpoint.LIST, at=3),),
        api_key="sk-simulated",
        latency=timedelta(milliseconds=50),
        endpoints=frozenset({Endpoint.RETRIEVE, Endpoint.EVENTS}),
    )


def test_an_empty_script_is_an_api_without_jobs(tmp_path: Path) -> None:
    assert load(tmp_path, "") == Script()


def test_the_example_shows_every_kind_of_fault_and_every_method() -> None:
    script = load_script(EXAMPLE)
    kinds = {fault.kind for job in script.jobs for fault in job.faults}
    assert kinds == set(FaultKind)
    assert {job.method for job in script.jobs} == set(Method)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("latancy = 1", "latancy: unknown key: did you mean 'latency'?"),
        ("zzz = 1", "zzz: unknown key: expected one of 'api_key', 'dialect', 'endpoints', 'faults', 'jobs', 'latency'"),
        ('latency = "soon"', f"latency: given 'soon', expected {DURATION_RULE}"),
        ("api_key = 7", "api_key: given 7, expected a text"),
        ('api_key = ""', "api_key: given '', expected a text"),
        ("endpoints = []", f"endpoints: given [], expected an array of some of {ENDPOINTS}"),
        ('endpoints = ["list", 3]', f"endpoints: given ['list', 3], expected an array of some of {ENDPOINTS}"),
        ('endpoints = "list"', f"endpoints: given 'list', expected an array of some of {ENDPOINTS}"),
        ("jobs = 3", "jobs: given 3, expected an array of tables"),
        ("[[jobs]]\n" + STEPS, "jobs[0].id: missing: expected a text"),
        (JOB, "jobs[0].steps: missing: expected an array of tables"),
        (JOB + "steps = []", "jobs[0].steps: given [], expected an array of tables"),
        (JOB + STEPS + JOB + STEPS, "jobs[1].id: 'ftjob-1' is the id of an earlier job"),
        (
            '[[jobs]]\nid = "../x"\n' + STEPS,
            f"jobs[0].id: '../x' is not a job id: expected {ID_RULE}",
        ),
        (
            JOB + STEPS + 'method = "magic"',
            "jobs[0].method: given 'magic', expected one of 'dpo', 'reinforcement', 'supervised'",
        ),
        (JOB + STEPS + "metadata = { a = 1 }", "jobs[0].metadata: given {'a': 1}, expected a table of texts"),
        (
            JOB + STEPS + "fields = { seed = nan }",
            "jobs[0].fields: given {'seed': nan}, expected a table of what JSON can say",
        ),
        (
            JOB + STEPS + "fields = { at = 07:32:00 }",
            "jobs[0].fields: given {'at': datetime.time(7, 32)}, expected a table of what JSON can say",
        ),
        (JOB + "steps = [{}]", "jobs[0].steps[0].status: missing: expected a text"),
        (
            JOB + 'steps = [{ status = "queued" }, { status = "running" }]',
            "jobs[0].steps[0]: expected either 'for' or 'polls', to say when the next step begins",
        ),
        (
            JOB + 'steps = [{ status = "queued", for = "1s", polls = 1 }, { status = "running" }]',
            "jobs[0].steps[0]: expected either 'for' or 'polls', to say when the next step begins",
        ),
        (
            JOB + 'steps = [{ status = "queued", polls = 1 }]',
            "jobs[0].steps[0].polls: the last step lasts for ever",
        ),
        (
            JOB + 'steps = [{ status = "queued", polls = 0 }, { status = "running" }]',
            "jobs[0].steps[0].polls: given 0, expected a whole number from 1 up",
        ),
        (
            JOB + 'steps = [{ status = "queued", polls = true }, { status = "running" }]',
            "jobs[0].steps[0].polls: given True, expected a whole number from 1 up",
        ),
        (FAULT, "jobs[0].faults[0]: expected 'kind' or 'status_code', to say what goes wrong"),
        (
            FAULT + "status_code = 99",
            "jobs[0].faults[0].status_code: given 99, expected a whole number from 200 to 599",
        ),
        (
            FAULT + 'kind = "hagn"\nbytes = 3',
            f"jobs[0].faults[0].kind: given 'hagn', expected one of {KINDS}",
        ),
        (
            FAULT + 'kind = "hang"\nbytes = 3',
            "jobs[0].faults[0].bytes: means nothing to a fault of the kind 'hang'",
        ),
        (
            FAULT + 'kind = "hang"\nat = 1\nbefore = "running"',
            "jobs[0].faults[0].before: expected either 'at' or 'before', not both",
        ),
        (
            FAULT + 'status_code = 500\nbody = "a"\nerror = { code = "b" }',
            "jobs[0].faults[0].error: expected either 'body' or 'error', not both",
        ),
        (
            FAULT + 'kind = "hang"\nbefore = "succeded"',
            "jobs[0].faults[0].before: no step of the job has the status 'succeded'",
        ),
        (
            FAULT + 'kind = "hang"\nendpoint = "lists"',
            f"jobs[0].faults[0].endpoint: given 'lists', expected one of {ENDPOINTS}",
        ),
        (
            FAULT + 'kind = "hang"\nendpoint = "list"',
            "jobs[0].faults[0].endpoint: a page of the list is not of one job: expected in [[faults]]",
        ),
        (
            FAULT + 'kind = "hang"\ntimes = "often"',
            "jobs[0].faults[0].times: given 'often', expected a whole number from 1 up",
        ),
        (
            FAULT + 'status_code = 500\nheaders = { "Content-Length" = "3" }',
            "jobs[0].faults[0].headers.Content-Length: the server says this itself",
        ),
        (
            '[[faults]]\nstatus_code = 500\nheaders = { a = "b\\r\\nc" }',
            "faults[0].headers: not HTTP headers: Illegal header value b'b\\r\\nc'",
        ),
    ],
)
def test_a_mistake_is_reported_with_its_key(tmp_path: Path, text: str, mistake: str) -> None:
    assert mistakes(tmp_path, text) == [mistake]


def test_a_header_has_to_be_ascii(tmp_path: Path) -> None:
    (mistake,) = mistakes(tmp_path, '[[faults]]\nstatus_code = 500\nheaders = { a = "é" }')
    assert mistake.startswith("faults[0].headers: not HTTP headers:")


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    text = 'latency = 0\n[[jobs]]\nid = "a"\nsteps = [{ state = "running" }]\n[[jobs]]\n' + STEPS
    keys = [mistake.split(":")[0] for mistake in mistakes(tmp_path, text)]
    assert sorted(keys) == ["jobs[0].steps[0].state", "jobs[0].steps[0].status", "jobs[1].id", "latency"]


def test_a_script_that_is_no_toml_is_reported_with_the_line(tmp_path: Path) -> None:
    (mistake,) = mistakes(tmp_path, "api_key = \n")
    assert mistake.startswith("not TOML: ")
    assert "line 1" in mistake


def test_a_script_that_is_nested_too_deeply_is_reported(tmp_path: Path) -> None:
    assert mistakes(tmp_path, "api_key = " + "[" * 100_000) == ["nested too deeply"]


def test_a_script_that_is_no_text_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "script.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"script\.toml: not UTF-8"):
        load_script(path)


def test_a_script_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"missing\.toml: cannot read it: No such file or directory"):
        load_script(tmp_path / "missing.toml")
