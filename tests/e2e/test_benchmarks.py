"""The benchmarks can be run by the command that the documentation names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.postgresql

ROOT = Path(__file__).parents[2]


def test_a_chosen_benchmark_prints_its_table_and_leaves_the_results_of_the_last_full_run() -> None:
    results = ROOT / "tests" / "benchmarks" / "RESULTS.md"
    before = results.read_bytes() if results.exists() else None

    run = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "--only", "record", "--rounds", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (run.returncode, run.stderr) == (0, "")
    lines = run.stdout.splitlines()
    assert lines[0].startswith("# ")
    assert any(line.startswith("| a transition, 500 ready") for line in lines)
    assert "## Targets" in lines
    assert (results.read_bytes() if results.exists() else None) == before
