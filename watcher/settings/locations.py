"""Where the watcher keeps and finds its files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from watcher.errors import ConfigurationError

CONFIG_VARIABLE = "WATCHER_CONFIG"
USUAL_CONFIGS = (Path("config/watcher.toml"), Path("/etc/watcher/watcher.toml"))


def find_config(chosen: Path | None, env: Mapping[str, str]) -> Path | None:
    """Return the configuration file: the one chosen, else `$WATCHER_CONFIG`, else the first usual one that exists.

    Raises ConfigurationError when a file was named that does not exist.
    """
    named = chosen or (Path(env[CONFIG_VARIABLE]) if env.get(CONFIG_VARIABLE) else None)
    if named is None:
        return next((path for path in USUAL_CONFIGS if path.is_file()), None)
    if not named.exists():
        by = "--config" if chosen else f"${CONFIG_VARIABLE}"
        raise ConfigurationError(f"{named}: no such file (named by {by})")
    return named
