"""Configurations that are deployed, and what the watcher itself says of them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.deploy.programs import succeed

SECRETS = Path("/run/secrets")
SECRET_FILE = re.compile(r'^\w+_file = "/run/secrets/([^"]+)"', re.MULTILINE)
"""A key that is in force, not one in a comment."""
DATABASE_URL = "postgresql://watcher:a-password@database/watcher"


def secret_files(config: Path) -> set[str]:
    """Return the names below /run/secrets of the files that the configuration reads."""
    return set(SECRET_FILE.findall(config.read_text(encoding="utf-8")))


def check_configuration(config: Path, directory: Path) -> None:
    """Let `watcher config check` judge the configuration, with files of its secrets below `directory`."""
    for name in secret_files(config):
        secret = directory / name
        secret.parent.mkdir(parents=True, exist_ok=True)
        secret.write_text(DATABASE_URL if secret.name == "database-url" else "a-secret", encoding="utf-8")
    moved = directory / config.name
    moved.write_text(config.read_text(encoding="utf-8").replace(str(SECRETS), str(directory)), encoding="utf-8")
    succeed(sys.executable, "-m", "watcher", "config", "check", "--config", moved, env={"HOME": str(directory)})
