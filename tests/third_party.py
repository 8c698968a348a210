"""Packages of third parties, installed as their users would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path


def install(package: Path, target: Path) -> Path:
    """Install a package's directory into a directory of its own, without network; return that directory."""
    uv = os.environ.get("UV") or shutil.which("uv")
    assert uv, "uv is what installs packages here: put it on the PATH"
    offline = ["--offline", "--no-index", "--no-cache", "--no-deps", "--quiet"]
    command = [uv, "pip", "install", *offline, "--python", sys.executable, "--target", str(target), str(package)]
    subprocess.run(command, check=True, timeout=60)
    return target
