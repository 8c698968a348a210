"""Configurations for the tests, put together from parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

API_KEY = "sk-e2e-9f27c1d0a8b34e56"
WEBHOOK_KEY = "ZTJlLXdlYmhvb2stc2VjcmV0LW9mLTMyLWJ5dGVzLS0="
WEBHOOK_SECRET = f"whsec_{WEBHOOK_KEY}"
SLACK_TOKEN = "e2eSlackTokenXq71Zr"
SECRETS = frozenset({API_KEY, WEBHOOK_KEY, SLACK_TOKEN})
"""The secret parts, which no output may contain."""

INTERVAL = "0.1s"
Settings = dict[str, Any]


def settings(base_url: str, database: Path, **parts: Any) -> Settings:
    """Return settings for the source at the URL that log everything; `parts` replace or add sections."""
    return {
        "sources": {"openai": {"base_url": base_url, "api_key": API_KEY}},
        "polling": {"interval": INTERVAL},
        "store": {"url": f"sqlite:///{database}"},
        "log": {"level": "debug"},
        **parts,
    }


def jobs(*ids: str) -> list[Mapping[str, str]]:
    """Return the section of watched jobs."""
    return [{"id": job_id} for job_id in ids]


def webhook(url: str, **more: Any) -> Mapping[str, Any]:
    """Return a webhook notifier that signs, and receives everything."""
    return {"kind": "webhook", "url": url, "secret": WEBHOOK_SECRET, "first_seen": "always", **more}


def slack(url: str, **more: Any) -> Mapping[str, Any]:
    """Return a Slack notifier that receives everything."""
    address = f"{url.removesuffix('/hooks/finetune')}/services/T0/B0/{SLACK_TOKEN}"
    return {"kind": "slack", "webhook_url": address, "first_seen": "always", **more}


def console(**more: Any) -> Mapping[str, Any]:
    """Return a stdout notifier that receives everything."""
    return {"kind": "stdout", "first_seen": "always", **more}


def statuses(bodies: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the statuses in the envelopes, in order."""
    return [body["data"]["status"] for body in bodies]
