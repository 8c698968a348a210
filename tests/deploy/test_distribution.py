"""The release: a wheel and a source distribution, installed into an empty environment, and the bill of materials."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.availability import unavailable
from tests.deploy.machine import REPOSITORY
from tests.deploy.programs import BILL_OF_MATERIALS, LIMIT_SECONDS, needed, succeed

KINDS = ("wheel", "sdist")
TESTED_FILES = (".ci", ".github", "config", "deploy", "tests", "watcher")
"""The directories that the tests read."""
FILES_BESIDE = ("LICENSE", "README.md", "CONTRIBUTING.md", "pyproject.toml", "uv.lock", ".dockerignore")
NOT_INHERITED = ("WATCHER_", "OPENAI_", "XDG_", "PYTHON", "VIRTUAL_ENV", "COVERAGE")

LIST = """
import json, re
from importlib.metadata import distributions

names = {re.sub("[-_.]+", "-", each.name).lower(): each.version for each in distributions()}
del names["finetune-watcher"]
print(json.dumps([f"{name}@{version}" for name, version in names.items()]))
"""
"""A program that names what is installed beside it."""


@dataclass(frozen=True)
class Installed:
    """An environment with nothing but the watcher and what it needs."""

    directory: Path
    env: dict[str, str]

    def run(self, program: str, *arguments: str) -> str:
        """Run one of its programs, away from the source tree, and return what it wrote."""
        return succeed(self.directory / "bin" / program, *arguments, cwd=self.directory, env=self.env)


@pytest.fixture(scope="module")
def uv(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program uv, where it reaches a package registry: an isolated build and an installation need one."""
    uv = needed("uv", "`pip install uv`")
    directory = tmp_path_factory.mktemp("probe")
    probe = [uv, "pip", "install", "--target", str(directory), "--no-deps", "--refresh", "hatchling"]
    asked = subprocess.run(probe, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
    if asked.returncode:
        unavailable(f"uv reaches no package registry: {' '.join(asked.stderr.split())}")
    return uv


@pytest.fixture(scope="module")
def built(uv: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel and the source distribution, as `uv build` makes them."""
    directory = tmp_path_factory.mktemp("dist")
    succeed(uv, "build", "--out-dir", directory)
    [wheel], [sdist] = directory.glob("*.whl"), directory.glob("*.tar.gz")
    return {"wheel": wheel, "sdist": sdist}


@pytest.fixture(scope="module", params=KINDS)
def installed(
    request: pytest.FixtureRequest, uv: str, built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Installed:
    """One of them in an empty environment, with the locked versions of what it needs: others are not ours to test."""
    directory = tmp_path_factory.mktemp(request.param)
    constraints = directory / "constraints.txt"
    succeed(uv, "export", "--locked", "--no-dev", "--no-emit-project", "--no-hashes", "--output-file", constraints)
    succeed(uv, "venv", directory / "env")
    python = directory / "env" / "bin" / "python"
    succeed(uv, "pip", "install", "--python", python, "--constraint", constraints, built[request.param])
    env = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    return Installed(directory / "env", env | {"HOME": str(directory)})


def sources(directory: str) -> Iterator[str]:
    """Yield the names of the files in a directory of the source tree, without what tools have left there."""
    for path in (REPOSITORY / directory).rglob("*"):
        inside = path.relative_to(REPOSITORY / directory).parts
        if path.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in inside):
            yield str(path.relative_to(REPOSITORY))


def names_in_wheel(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_demo_passes_where_nothing_else_is_installed(installed: Installed) -> None:
    assert "none lost, none twice, all signed" in installed.run("watcher", "demo")


def test_the_command_knows_its_version(installed: Installed) -> None:
    assert installed.run("watcher", "--version").split()[-1] == version("finetune-watcher")


def test_what_runs_is_what_was_installed(installed: Installed) -> None:
    file = installed.run("python", "-c", "import watcher; print(watcher.__file__)")
    assert Path(file.strip()).is_relative_to(installed.directory)


def test_the_wheel_holds_every_module_and_file_of_the_package(built: dict[str, Path]) -> None:
    """The migrations and the mark that it is typed are among them."""
    package = set(sources("watcher"))
    names = names_in_wheel(built["wheel"])
    assert {"watcher/py.typed", "watcher/store/migrations/versions/0001_first_tables.py"} <= package
    assert {name for name in names if ".dist-info/" not in name} == package


def test_the_wheel_names_its_command_its_notifiers_and_its_licence(built: dict[str, Path]) -> None:
    with zipfile.ZipFile(built["wheel"]) as archive:
        [entry_points] = [name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt")]
        text = archive.read(entry_points).decode()
    assert "watcher = watcher.__main__:main" in text
    assert "slack = watcher.notifiers.slack.plugin:plugin" in text
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names_in_wheel(built["wheel"]))


def test_the_source_distribution_holds_what_the_tests_need(built: dict[str, Path]) -> None:
    with tarfile.open(built["sdist"]) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    listed = {name for directory in TESTED_FILES for name in sources(directory)}
    assert listed | set(FILES_BESIDE) <= held


def test_a_wheel_built_from_the_source_distribution_is_the_same(
    uv: str, built: dict[str, Path], tmp_path: Path
) -> None:
    succeed(uv, "build", "--wheel", "--out-dir", tmp_path, built["sdist"])
    [again] = tmp_path.glob("*.whl")
    assert again.read_bytes() == built["wheel"].read_bytes()


def test_the_bill_of_materials_lists_what_is_installed(installed: Installed, tmp_path: Path) -> None:
    """Each package with its version and the hashes of its files."""
    command = BILL_OF_MATERIALS.split()
    succeed(*command[:-1], tmp_path / command[-1])
    bill = json.loads((tmp_path / command[-1]).read_text(encoding="utf-8"))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    assert bill["metadata"]["component"]["name"] == "finetune-watcher"
    listed = {component["purl"]: component for component in bill["components"]}
    assert {f"pkg:pypi/{package}" for package in json.loads(installed.run("python", "-c", LIST))} <= listed.keys()
    for component in listed.values():
        assert all(reference["hashes"] for reference in component["externalReferences"])
