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
from watcher.settings.reading import load, load_for_record
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
    "load_for_record",
    "masked",
    "schema",
    "secrets_of",
    "to_toml",
]
