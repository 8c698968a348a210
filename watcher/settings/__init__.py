"""The settings: from flags, the environment and a TOML file to frozen values. Read once, at start."""

from watcher.settings.describing import schema
from watcher.settings.model import (
    JobSettings,
    LogSettings,
    NotifierSettings,
    PollingSettings,
    Settings,
    SourceSettings,
    StoreSettings,
)
from watcher.settings.reading import load
from watcher.settings.showing import masked, secrets_of, to_toml

__all__ = [
    "JobSettings",
    "LogSettings",
    "NotifierSettings",
    "PollingSettings",
    "Settings",
    "SourceSettings",
    "StoreSettings",
    "load",
    "masked",
    "schema",
    "secrets_of",
    "to_toml",
]
