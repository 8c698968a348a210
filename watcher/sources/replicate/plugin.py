"""The kind of source `replicate`."""

from __future__ import annotations

from watcher.plugins.source import Source, SourceContext, SourcePlugin
from watcher.sources.replicate.config import VARIABLES, Config
from watcher.sources.replicate.states import REPLICATE_STATES

PRIVATE_FIELDS = frozenset({"input", "logs", "weights", "webhook", "webhook_completed"})
"""Inputs and logs may hold keys; who knows the address of weights or of a webhook can use it."""


def build(config: Config, context: SourceContext) -> Source:
    """Make a source. Raises ConfigurationError."""
    # Imported late: reading settings needs no HTTP.
    from watcher.sources.http_source import HttpSource
    from watcher.sources.replicate.dialect import ReplicateDialect

    return HttpSource(config.connection(context.name), ReplicateDialect(), context)


plugin = SourcePlugin(Config, build, REPLICATE_STATES, VARIABLES, private_fields=PRIVATE_FIELDS)
