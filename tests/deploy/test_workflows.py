"""The workflows: a linter accepts them, and they run the commands of CONTRIBUTING."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.machine import REPOSITORY
from tests.deploy.programs import BILL_OF_MATERIALS, needed_of_group, succeed

GITHUB = REPOSITORY / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
AUDIT = (
    "uv export --locked --all-extras --all-groups --no-emit-project --quiet --output-file locked.txt",
    "uvx pip-audit --strict --disable-pip --require-hashes --requirement locked.txt",
)
PINNED = re.compile(r"[\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
IN_THIS_REPOSITORY = "$/"

Workflow = dict[str, Any]


def workflow(name: str) -> Workflow:
    loaded: Workflow = yaml.safe_load((GITHUB / "workflows" / f"{name}.yml").read_text(encoding="utf-8"))
    return loaded


def lines_run(name: str) -> set[str]:
    """Return each line that a step of the workflow runs."""
    steps = [step for job in workflow(name)["jobs"].values() for step in job.get("steps", ())]
    return {line for step in steps for line in step.get("run", "").splitlines()}


def uses(path: Path) -> list[str]:
    """Return the actions and workflows that a workflow calls, each with the comment behind it."""
    return re.findall(r"^\s*(?:- )?uses: (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)


def waits_for(job: Workflow) -> set[str]:
    """Return the jobs that a job waits for."""
    needs = job.get("needs", [])
    return {needs} if isinstance(needs, str) else set(needs)


def test_zizmor_finds_nothing() -> None:
    """Not even in its pedantic mode; a file that cannot be parsed is an error. No network."""
    zizmor = needed_of_group("zizmor")
    succeed(zizmor, "--offline", "--no-config", "--strict-collection", "--persona", "pedantic", "--quiet", GITHUB)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_what_is_called_is_pinned_by_commit_and_names_its_version(path: Path) -> None:
    for called in uses(path):
        if called.startswith(IN_THIS_REPOSITORY):
            assert (REPOSITORY / called.removeprefix(IN_THIS_REPOSITORY)).is_file()
        else:
            assert PINNED.fullmatch(called)


def test_one_action_has_one_version() -> None:
    called = {one for path in WORKFLOWS for one in uses(path)}
    actions = [one.split("@")[0] for one in called]
    assert sorted(actions) == sorted(set(actions))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_nothing_is_permitted_but_what_a_job_asks_for(path: Path) -> None:
    text = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert text["permissions"] == {}
    assert all("permissions" in job and "write-all" not in str(job["permissions"]) for job in text["jobs"].values())


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_jobs_wait_for_jobs_that_exist(path: Path) -> None:
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    assert set[str]().union(*map(waits_for, jobs.values())) <= jobs.keys()


def test_the_gate_is_run_on_each_supported_python() -> None:
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    supported = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', project)
    assert workflow("test")["jobs"]["test"]["strategy"]["matrix"]["python"] == supported
    [command] = lines_run("test") & {line for line in lines_run("test") if line.endswith(" .ci/run")}
    assert command.startswith("sudo env ")
    assert (REPOSITORY / ".ci" / "run").stat().st_mode & 0o111


def test_a_release_builds_as_everybody_does() -> None:
    """With the commands of CONTRIBUTING."""
    commands = {"uv build", BILL_OF_MATERIALS}
    guide = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert commands | {"uv publish --trusted-publishing always"} <= lines_run("release")
    assert all(f"$ {command}" in guide for command in commands)


def test_the_audit_asks_for_every_locked_package() -> None:
    """With the commands of CONTRIBUTING."""
    guide = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert set(AUDIT) <= lines_run("test")
    assert all(f"$ {command}" in guide for command in AUDIT)


def test_nothing_is_published_before_it_was_tested() -> None:
    jobs = workflow("release")["jobs"]

    def all_before(name: str) -> set[str]:
        earlier = waits_for(jobs[name])
        return earlier.union(*map(all_before, earlier))

    assert jobs["test"]["uses"] == "$/.github/workflows/test.yml"
    assert all("test" in all_before(name) for name in jobs if name != "test")
    assert "attest" in all_before("publish")


def test_no_workflow_holds_a_secret() -> None:
    """Publishing uses the identity of the workflow, not a stored token."""
    for path in WORKFLOWS:
        assert not re.search(r"\bsecrets\b", path.read_text(encoding="utf-8"))


def test_the_image_is_built_from_files_that_exist() -> None:
    [build] = [step for step in workflow("container")["jobs"]["image"]["steps"] if step.get("id") == "image"]
    arguments = {line.split("=")[0] for line in build["with"]["build-args"].splitlines()}
    containerfile = (REPOSITORY / build["with"]["file"]).read_text(encoding="utf-8")
    assert arguments <= set(re.findall(r"^ARG (\w+)", containerfile, re.MULTILINE))
