"""Programs of the system that tests call."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.availability import group_missing, unavailable
from tests.deploy.machine import REPOSITORY

LIMIT_SECONDS = 300
"""How long a program may run before the test fails; building and installing from a cold cache takes its time."""
BILL_OF_MATERIALS = "uv export --locked --no-dev --all-extras --quiet --format cyclonedx1.5 --output-file sbom.cdx.json"
"""The command of CONTRIBUTING and of the release workflow that writes the bill of materials."""


def needed(program: str, package: str) -> str:
    """Return the path of a program. Without it the test is skipped or, where system tests are required, fails."""
    path = shutil.which(program)
    if not path:
        unavailable(f"{program} is not installed; {package} brings it")
    return path


def needed_of_group(program: str) -> str:
    """Return the path of a program that the dependency group `system` brings; without it the test is skipped."""
    path = shutil.which(program)
    if not path:
        group_missing(program, "system")
    return path


def succeed(*command: str | Path, cwd: Path = REPOSITORY, env: dict[str, str] | None = None, stdin: str = "") -> str:
    """Run a program, and return what it wrote to standard output. Fails with all that it wrote unless it exits 0."""
    finished = subprocess.run(  # noqa: PLW1510 # its exit code is judged below
        list(map(str, command)), cwd=cwd, env=env, input=stdin, capture_output=True, text=True, timeout=LIMIT_SECONDS
    )
    assert finished.returncode == 0, f"{' '.join(map(str, command))}\n{finished.stdout}\n{finished.stderr}"
    return finished.stdout
