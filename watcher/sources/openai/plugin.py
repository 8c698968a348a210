"""The kind of source `openai`."""

from __future__ import annotations

from watcher.domain.states import OPENAI_STATES
from watcher.plugins.source import ReadWebhook, Source, SourceContext, SourcePlugin, own_words
from watcher.sources.openai.config import Config
from watcher.sources.openai.endpoint import VARIABLES, pages_of
from watcher.sources.openai.sunset import sunset_notice


def build(config: Config, context: SourceContext) -> Source:
    """Make a source. Raises ConfigurationError."""
    # Imported late: reading settings needs no HTTP.
    from watcher.sources.http_source import HttpSource
    from watcher.sources.openai.dialect import OpenAIDialect, listing

    dialect = listing(OpenAIDialect(pages=pages_of(config.base_url)), batches=config.lists == "batches")
    return HttpSource(config.access().endpoint(context.name), dialect, context, read_webhook=_reader(config, context))


def _reader(config: Config, context: SourceContext) -> ReadWebhook | None:
    if config.webhook_secret is None:
        return None
    from watcher.sources.openai.webhooks import WebhookReader

    return WebhookReader(config.webhook_secret, context.clock)


def notice(config: Config) -> str | None:
    """Say what to know of the service."""
    return sunset_notice(config.base_url)


_VARIABLES = {**VARIABLES, "OPENAI_WEBHOOK_SECRET": "webhook_secret"}

plugin = SourcePlugin(Config, build, OPENAI_STATES, _VARIABLES, event_word=own_words, notice=notice)
