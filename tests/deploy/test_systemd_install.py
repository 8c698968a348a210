"""The install script, in a root directory that is being prepared and on a machine that runs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.availability import unavailable
from tests.deploy.machine import (
    DEPLOY,
    OFFLINE,
    REPOSITORY,
    SERVICE,
    USER,
    WATCHER,
    WHEELS,
    Machine,
    UnavailableError,
    boot,
)

SCRIPT = REPOSITORY / "deploy" / "systemd" / "install.sh"
IN_MACHINE = f"{DEPLOY}/systemd/install.sh"
UNIT = f"/etc/systemd/system/{SERVICE}"
CONFIG = "/etc/watcher/watcher.toml"
OURS = "# my own\n[polling]\ninterval = '7s'\n"


@pytest.fixture(scope="module")
def prepared(debian: Path, wheel: Path) -> Path:
    """A root directory into which the watcher was installed before its first boot."""
    install_into(debian, "--from", str(wheel))
    return debian


@pytest.fixture(scope="module")
def machine(prepared: Path) -> Iterator[Machine]:
    """A machine with the watcher, booted from what was prepared."""
    try:
        with boot(prepared) as machine:
            yield machine
    except UnavailableError as error:
        unavailable(str(error))


def test_a_root_directory_gets_everything_with_the_right_owners(prepared: Path) -> None:
    user = next(line.split(":") for line in (prepared / "etc/passwd").read_text().splitlines() if line.startswith(USER))
    owner = int(user[2])
    assert _modes(prepared, "var/lib/watcher", "etc/watcher/watcher.toml", "etc/watcher/credentials") == [
        ("0750", owner, owner),
        ("0640", 0, owner),
        ("0700", 0, 0),
    ]
    assert user[6].endswith("nologin")
    assert (prepared / UNIT.lstrip("/")).exists()
    assert not list((prepared / "var/tmp").iterdir()), "the copy of the wheel was left behind"


def test_the_unit_is_flawless_and_exposes_little(machine: Machine) -> None:
    """`systemd-analyze verify` is silent, and the exposure at most 1.5 of 10."""
    verified = machine.run("systemd-analyze", "verify", UNIT)
    assert verified.stdout + verified.stderr == ""
    judged = machine.run("systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", UNIT)
    assert f"Overall exposure level for {SERVICE}" in judged.stdout


def test_the_example_configuration_is_in_order(machine: Machine) -> None:
    """Only the key is missing, which the service has from its environment."""
    assert "OK" in machine.run_as_user("env", "OPENAI_API_KEY=sk-test", WATCHER, "config", "check").stdout


def test_installing_again_upgrades_and_keeps_what_is_the_operators(machine: Machine) -> None:
    """Twice in a row: configuration and secrets are kept, and one version to go back to."""
    machine.write(CONFIG, OURS)
    machine.write("/etc/watcher/credentials/openai-api-key", "sk-mine")
    versions = [_current(machine)]
    for _ in range(2):
        done = machine.run(IN_MACHINE, "--from", _wheel(machine), env=OFFLINE)
        assert "Installed watcher" in done.stdout
        versions.append(_current(machine))
    assert len(set(versions)) == 3
    kept = machine.run("sh", "-c", "ls -d /opt/finetune-watcher/env-*").stdout.split()
    assert sorted(kept) == sorted(versions[1:])
    assert machine.run("cat", CONFIG).stdout == OURS
    assert machine.run("stat", "--format=%a", "/etc/watcher/credentials/openai-api-key").stdout == "600\n"


def test_an_upgrade_that_fails_changes_nothing(machine: Machine) -> None:
    machine.write("/root/finetune_watcher-9.9.9-py3-none-any.whl", "not a wheel")
    before = _files(machine), _current(machine)
    done = machine.run(IN_MACHINE, "--from", "/root/finetune_watcher-9.9.9-py3-none-any.whl", env=OFFLINE, check=False)
    assert done.returncode != 0
    assert (_files(machine), _current(machine)) == before


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--prefix", "/home/me"], "could not start from"),
        (["--prefix", "opt"], "absolute path"),
        (["--prefix", "/"], "absolute path"),
        (["--prefix", "/opt/a b"], "letters, digits"),
        (["--from", "/nowhere.whl"], "is not there"),
        (["--sideways"], "Usage"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_done(
    machine: Machine, arguments: list[str], complaint: str
) -> None:
    before = _files(machine)
    done = machine.run(IN_MACHINE, *arguments, check=False)
    assert done.returncode != 0
    assert complaint in done.stderr
    assert _files(machine) == before


def test_uninstalling_keeps_the_operators_files_until_told_otherwise(machine: Machine) -> None:
    machine.write(CONFIG, OURS)
    machine.run("systemctl", "enable", SERVICE)
    for _ in range(2):  # the second time there is nothing to do
        assert "still there" in machine.run(IN_MACHINE, "--uninstall").stdout
    assert machine.show("LoadState") == "not-found"
    assert machine.run("cat", CONFIG).stdout == OURS
    gone = ("/opt/finetune-watcher", "/usr/local/bin/watcher", f"/etc/systemd/system/multi-user.target.wants/{SERVICE}")
    for path in gone:
        assert machine.run("test", "-L", path, "-o", "-e", path, check=False).returncode == 1, f"{path} is still there"
    machine.run(IN_MACHINE, "--uninstall", "--purge")
    assert machine.run("ls", "/etc/watcher", "/var/lib/watcher", check=False).stdout == ""
    assert machine.run("getent", "passwd", USER, check=False).stdout == ""


def test_another_prefix_is_written_into_the_unit(machine: Machine) -> None:
    machine.run(IN_MACHINE, "--from", _wheel(machine), "--prefix", "/srv/own/watcher", env=OFFLINE)
    unit = machine.run("cat", UNIT).stdout
    assert "ExecStart=/srv/own/watcher/current/bin/watcher run" in unit
    assert "/opt/finetune-watcher" not in unit
    assert machine.run("systemd-analyze", "verify", UNIT).stderr == ""


def install_into(root: Path, *arguments: str) -> None:
    """Run the script on a root directory, from outside."""
    done = subprocess.run(
        [SCRIPT, "--root", root, *arguments],
        env=os.environ | OFFLINE, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def _modes(root: Path, *paths: str) -> list[tuple[str, int, int]]:
    stats = [(root / path).stat() for path in paths]
    return [(f"{stat.st_mode & 0o7777:04o}", stat.st_uid, stat.st_gid) for stat in stats]


def _wheel(machine: Machine) -> str:
    return machine.run("sh", "-c", f"ls {WHEELS}/finetune_watcher-*.whl").stdout.strip()


def _current(machine: Machine) -> str:
    return machine.run("readlink", "--canonicalize", "/opt/finetune-watcher/current").stdout.strip()


def _files(machine: Machine) -> str:
    places = ("/opt", "/srv", "/etc/systemd", "/etc/watcher", "/usr/local", "/var/tmp")
    return machine.run("find", *places, "-maxdepth", "2").stdout
