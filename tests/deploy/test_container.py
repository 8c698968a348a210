"""The image, built and run for real: small, without rights, on a read-only root."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import platformdirs
import pytest

from tests.availability import unavailable
from tests.deploy.image import Builder, Image
from tests.deploy.machine import UnavailableError, debian_archive
from tests.deploy.programs import needed, succeed
from watcher import __version__

MEGABYTE = 1_000_000
LARGEST_OVERHEAD = 77 * MEGABYTE
TOOLS = {
    "buildah": "buildah",
    "mmdebstrap": "mmdebstrap",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "ip": "iproute2",
}
"""What the tests call, and the Debian packages with it."""
HEALTH_LIMIT_SECONDS = 30


@pytest.fixture(scope="module")
def base(builder: Builder) -> Path:
    """The files of the base image: a small Debian, which is made once and kept outside of the repository."""
    try:
        archive = debian_archive(platformdirs.user_cache_path("finetune-watcher-tests", appauthor=False))
    except UnavailableError as error:
        unavailable(str(error))
    return builder.base(archive)


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    """A builder, where this computer can have one."""
    if os.geteuid() != 0:
        unavailable("only root can build and run images here")
    for program, package in TOOLS.items():
        needed(program, package)
    directory = tmp_path_factory.mktemp("images")
    # In memory: many copies of a whole Debian are written here, and thrown away.
    succeed("mount", "-t", "tmpfs", "tmpfs", directory)
    yield Builder(directory)
    succeed("umount", directory)


@pytest.fixture(scope="module")
def image(builder: Builder, base: Path) -> Image:
    """The image, built as the Containerfile says."""
    assert base.is_dir()
    return builder.image(VERSION=__version__, REVISION="0123abc")


def size(root: Path) -> int:
    """Return the bytes of all files, each counted once, however many names it has."""
    files = {(found.st_dev, found.st_ino): found.st_size for path in root.rglob("*") for found in [path.lstat()]}
    return sum(files.values())


def anybody_may_write(path: Path) -> bool:
    """Return whether others than the owner of the file may write to it."""
    return not path.is_symlink() and path.stat().st_mode & 0o022 != 0


def test_the_image_adds_little_to_its_base(base: Path, image: Image) -> None:
    """At most 77 MB, with the driver of PostgreSQL, the HTTP transport and what draws curves as PNG (3 MB)."""
    overhead = size(image.root) - size(base)
    assert MEGABYTE < overhead <= LARGEST_OVERHEAD


def test_the_image_says_what_it_is_and_how_to_run_it(image: Image) -> None:
    """Its labels, a user by number, the signal that stops it, a health check without a shell."""
    labels = {name.rpartition(".")[2]: value for name, value in image.config["Labels"].items()}
    assert labels["title"] == "finetune-watcher"
    assert labels["version"] == __version__
    assert labels["revision"] == "0123abc"
    assert labels["licenses"] == "MIT"
    assert image.config["User"] == "10001:10001"
    assert image.config["StopSignal"] == "SIGTERM"
    assert image.config["Healthcheck"]["Test"][:2] == ["CMD", "/opt/watcher/bin/python"]
    assert image.config["Entrypoint"] == ["/opt/watcher/bin/watcher"]


def test_the_image_holds_nothing_but_the_watcher(base: Path, image: Image) -> None:
    """Neither what built it, nor its tests; and nothing of it belongs to the user it runs as, but its state."""
    added = {path.relative_to(image.root) for path in image.root.rglob("*")}
    added -= {path.relative_to(base) for path in base.rglob("*")}
    tops = {Path(*path.parts[:2]) for path in added} - {Path("opt/watcher"), Path("etc/watcher"), Path("var/lib")}
    assert tops == set()
    assert {path.name for path in added} & {"uv", "pip", "hatchling", "tests", "uv.lock"} == set()
    owned = {path for path in added if (image.root / path).lstat().st_uid != 0}
    assert owned == {Path("var/lib/watcher")}
    assert {path for path in added if anybody_may_write(image.root / path)} == set()


def test_the_demonstration_passes(image: Image, tmp_path: Path) -> None:
    """As the user of the image, with a read-only root and no network but loopback."""
    finished = image.run(tmp_path / "state", *image.config["Entrypoint"], "demo")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "none lost, none twice, all signed" in finished.stdout


def test_only_the_state_and_temporary_files_can_be_written(image: Image, tmp_path: Path) -> None:
    """What the tests call a read-only root is one, and the program is not root."""
    script = """
import os
print(os.getuid(), os.getgid(), os.getgroups())
for directory in ("/", "/opt/watcher", "/etc/watcher", "/var/lib", "/var/lib/watcher", "/tmp"):
    try:
        open(directory + "/new", "w").close()
        print(directory)
    except OSError as error:
        assert error.errno in (13, 30), error
"""
    finished = image.run(tmp_path / "state", "/opt/watcher/bin/python", "-c", script)
    assert finished.stdout.splitlines() == ["10001 10001 []", "/var/lib/watcher", "/tmp"], finished.stderr


def test_slimmed_libraries_load(image: Image, tmp_path: Path) -> None:
    """Compiled modules still work, the driver of PostgreSQL among them, and so does what lost its bytecode."""
    script = """
import psycopg, pydantic_core, sqlalchemy.engine._row_cy, sqlalchemy.orm, pydantic.v1
assert sqlalchemy.engine._row_cy.__file__.endswith(".so")
print(psycopg.pq.__impl__)
"""
    finished = image.run(tmp_path / "state", "/opt/watcher/bin/python", "-c", script)
    assert finished.stdout == "binary\n", finished.stderr


def test_the_image_runs_by_itself_until_it_is_stopped(image: Image, tmp_path: Path) -> None:
    """Its health check passes, it keeps its store in its volume, and it ends well when asked to."""
    check = image.config["Healthcheck"]["Test"][1:]
    with image.running(tmp_path / "state", OPENAI_API_KEY="sk-of-a-test") as container:
        until = time.monotonic() + HEALTH_LIMIT_SECONDS
        while (health := container.execute(*check)).returncode != 0 and time.monotonic() < until:
            assert container.outer.poll() is None, container.outer.communicate()[0]
            time.sleep(0.2)
        assert health.returncode == 0, health.stderr
        assert container.stop(signal.Signals[image.config["StopSignal"]]) == 0
    assert (tmp_path / "state" / "watcher.db").stat().st_uid == 10001


def test_the_health_check_fails_without_a_watcher(image: Image, tmp_path: Path) -> None:
    finished = image.run(tmp_path / "state", *image.config["Healthcheck"]["Test"][1:])
    assert finished.returncode == 1
    assert "ConnectionRefusedError" in finished.stderr
