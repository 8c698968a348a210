"""The wheel and a small Debian for the tests of the systemd service; skips them where these cannot be built."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import platformdirs
import pytest

from tests.availability import unavailable
from tests.deploy.machine import (
    UnavailableError,
    build_wheels,
    debian_archive,
    missing_requirement,
    unpack,
)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The watcher's wheel, in a directory with the wheels of all that it needs."""
    if why := missing_requirement():
        unavailable(why)
    try:
        return build_wheels(tmp_path_factory.mktemp("wheels"))
    except UnavailableError as error:
        unavailable(str(error))


@pytest.fixture(scope="module")
def debian(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The root directory of a small Debian, not booted."""
    directory = tmp_path_factory.mktemp("machine")
    try:
        archive = debian_archive(platformdirs.user_cache_path("finetune-watcher-tests", appauthor=False))
        unpack(archive, directory / "root", wheel.parent)
        yield directory / "root"
    except UnavailableError as error:
        unavailable(str(error))
    finally:
        shutil.rmtree(directory)  # pytest would keep three of them, of 300 MB each
