"""The end of fine-tuning at OpenAI: what whoever watches jobs there should know.

Source: OpenAI's page of deprecations, as of November 2026. Services that speak the same API are not meant.
"""

from __future__ import annotations

from datetime import date

from watcher.domain.addresses import host_of

LAST_DAY = date(2027, 1, 6)
PAGE = "https://platform.openai.com/docs/deprecations"
_HOST = ".api.openai.com"


def is_of_openai(url: str) -> bool:
    """Tell whether this is OpenAI's own service, in any of its regions."""
    host = host_of(url)
    return host is not None and f".{host}".endswith(_HOST)


def sunset_notice(url: str) -> str | None:
    """Return what to know of the service at a base URL; None for any other service than OpenAI's."""
    if not is_of_openai(url):
        return None
    return f"OpenAI takes no new fine-tuning jobs from {LAST_DAY.isoformat()} on; where to read on: {PAGE}"
