"""Where the watcher keeps and finds its files."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from watcher.errors import ConfigurationError

ENVIRONMENT_PREFIX = "WATCHER_"
CONFIG_VARIABLE = "WATCHER_CONFIG"
NO_SETTINGS = frozenset({CONFIG_VARIABLE, "WATCHER_HTTP_TRANSPORT", "WATCHER_EVENT_LOOP"})
"""Variables with our prefix that are read elsewhere."""
USUAL_CONFIGS = (Path("watcher.toml"), Path("config/watcher.toml"), Path("/etc/watcher/watcher.toml"))
"""Where the configuration is looked for when none is named, in this order."""
_UNASKED = "it is looked for where --config names no other file"


def find_config(chosen: Path | None, env: Mapping[str, str], usual: Sequence[Path] = USUAL_CONFIGS) -> Path | None:
    """Return the configuration file: the one chosen, else `$WATCHER_CONFIG`, else the first usual one that exists.

    Raises ConfigurationError when the named file does not exist, and when a directory cannot be searched: it may hold
    the configuration.
    """
    named = chosen or (Path(env[CONFIG_VARIABLE]) if env.get(CONFIG_VARIABLE) else None)
    if named is None:
        return next((path for path in usual if _is_file(_looked_up(path, _UNASKED))), None)
    by = f"named by {'--config' if chosen else f'${CONFIG_VARIABLE}'}"
    if _looked_up(named, by) is None:
        raise ConfigurationError(f"{named}: no such file ({by})")
    return named


def places() -> str:
    """Name the places where a configuration is looked for."""
    first, *others = [str(path) if path.is_absolute() else f"./{path}" for path in USUAL_CONFIGS]
    return f"${CONFIG_VARIABLE}, {', '.join([first, *others])}"


def _looked_up(path: Path, by: str) -> os.stat_result | None:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror} ({by})") from None
    except ValueError:
        raise ConfigurationError(f"{str(path)!r} cannot be the path of a file ({by})") from None


def _is_file(found: os.stat_result | None) -> bool:
    return found is not None and stat.S_ISREG(found.st_mode)
