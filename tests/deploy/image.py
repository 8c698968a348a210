"""The image, built by buildah on a local Debian, and containers of it: what a container engine would do, in short."""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.deploy.machine import REPOSITORY
from tests.deploy.programs import succeed

CONTAINERFILE = "deploy/container/Containerfile"
BASE = "localhost/base"
IMAGE = "localhost/finetune-watcher"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
STOP_SECONDS = 20

_START = """
set -eu
ip link set lo up
mount --bind "$ROOT" "$ROOT"
mount -o remount,bind,ro "$ROOT"
mount --rbind /dev "$ROOT/dev"
mount -t proc proc "$ROOT/proc"
mount -t tmpfs -o mode=1777 tmpfs "$ROOT/tmp"
mount --bind "$STATE" "$ROOT$VOLUME"
cd /
exec unshare --root="$ROOT" --wd="$DIRECTORY" --setgid="$GROUP" --setuid="$USER" env -i "$@"
"""
"""Makes the root read-only except for the volume and /tmp, then executes the program as process 1."""


class Builder:
    """Builds images into a directory of its own, without any daemon."""

    def __init__(self, directory: Path) -> None:
        """Keep images and containers below the directory."""
        self._directory = directory
        places = ("--root", directory / "storage", "--runroot", directory / "run")
        self._buildah = ("buildah", *places, "--storage-driver", "vfs")

    def base(self, archive: Path) -> Path:
        """Make the base image of a tar file of a root directory, and return where its files lie."""
        file = self._directory / "Basefile"
        file.write_text(f"FROM scratch\nADD {archive.name} /\n", encoding="utf-8")
        self._call("build", "--isolation", "chroot", "--file", file, "--tag", BASE, archive.parent)
        return self._files(BASE)

    def image(self, **arguments: str) -> Image:
        """Build the image on the base as the Containerfile says, with build arguments."""
        given = {"BASE_IMAGE": BASE, **arguments}
        self._call(
            "build", "--isolation", "chroot", "--format", "docker",
            *(f"--build-arg={name}={value}" for name, value in given.items()),
            *(f"--volume={here}:{there}:ro" for there, here in self._surroundings().items()),
            "--file", CONTAINERFILE, "--tag", IMAGE, REPOSITORY,
        )  # fmt: skip
        inspected = json.loads(self._call("inspect", "--type", "image", IMAGE))
        return Image(self._files(IMAGE), inspected["Docker"]["config"])

    def _surroundings(self) -> dict[str, Path]:
        """Return the files that let the build use the certificates and the package index of this machine."""
        trusted = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or CERTIFICATES
        certificates = Path(shutil.copy(trusted, self._directory / "certificates.pem"))
        index = os.environ.get("PIP_INDEX_URL")
        pip, uv = self._directory / "pip.conf", self._directory / "uv.toml"
        pip.write_text(f"[global]\ncert = {CERTIFICATES}\n" + (f"index-url = {index}\n" if index else ""), "utf-8")
        uv.write_text("system-certs = true\n", encoding="utf-8")
        return {CERTIFICATES: certificates, "/etc/pip.conf": pip, "/etc/uv/uv.toml": uv}

    def _files(self, image: str) -> Path:
        return Path(self._call("mount", self._call("from", "--pull-never", image)))

    def _call(self, verb: str, *arguments: str | Path) -> str:
        env = {**os.environ, "TMPDIR": str(self._directory)}
        return succeed(*self._buildah, verb, *arguments, env=env).strip()


@dataclass(frozen=True, slots=True)
class Container:
    """A container that runs."""

    outer: subprocess.Popen[str]
    program: int
    """The process id, outside the container, of its process 1."""
    entering: list[str]
    """The command prefix that runs another program in it."""

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run another program in the container, as its user."""
        return subprocess.run([*self.entering, *command], check=False, capture_output=True, text=True, timeout=60)

    def stop(self, number: signal.Signals) -> int:
        """Send the signal to the program, and return the exit code."""
        os.kill(self.program, number)
        return self.outer.wait(timeout=STOP_SECONDS)


@dataclass(frozen=True, slots=True)
class Image:
    """A built image: its files and its configuration."""

    root: Path
    config: dict[str, Any] = field(repr=False)

    @property
    def user(self) -> tuple[str, str]:
        """The user and the group that its programs have."""
        user, _, group = self.config["User"].partition(":")
        return user, group

    def run(self, state: Path, *command: str) -> subprocess.CompletedProcess[str]:
        """Run its entry point, or what stands in its place, in a new container until it ends."""
        whole, env = self._starting(state, command)
        return subprocess.run(whole, check=False, env=env, capture_output=True, text=True, timeout=120)

    @contextmanager
    def running(self, state: Path, **variables: str) -> Iterator[Container]:
        """Run what the image runs by itself, with variables of the environment, as long as the context lasts."""
        given = [f"{name}={value}" for name, value in variables.items()]
        command, env = self._starting(state, [*given, *self.config["Entrypoint"], *self.config["Cmd"]])
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as outer:
            try:
                program = _child(outer)
                user, group = self.user
                entering = ["nsenter", f"--target={program}", "--mount", "--net", "--pid", "--root", "--wd",
                            f"--setgid={group}", f"--setuid={user}", "env", "-i", *self.config["Env"]]  # fmt: skip
                yield Container(outer, program, entering)
            finally:
                outer.kill()  # and with it the program

    def _starting(self, state: Path, command: tuple[str, ...] | list[str]) -> tuple[list[str], dict[str, str]]:
        """Return the command that starts a container, and its environment."""
        (volume,) = self.config["Volumes"]
        if not state.exists():  # a new volume begins as what the image has in its place
            succeed("cp", "--archive", self.root / volume.removeprefix("/"), state)
        user, group = self.user
        places = {"ROOT": str(self.root), "STATE": str(state), "VOLUME": volume, "USER": user, "GROUP": group}
        apart = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", _START, "sh"]
        env = {"PATH": os.environ["PATH"], "DIRECTORY": self.config["WorkingDir"], **places}
        return [*apart, *self.config["Env"], *command], env


def _child(process: subprocess.Popen[str]) -> int:
    while not (children := Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii")):
        assert process.poll() is None
    return int(children)
