"""The kind of source `azure`."""

from __future__ import annotations

from watcher.plugins.source import Source, SourceContext, SourcePlugin, own_words
from watcher.sources.azure.config import VARIABLES, Config
from watcher.sources.azure.states import AZURE_STATES


def build(config: Config, context: SourceContext) -> Source:
    """Make a source. Raises ConfigurationError."""
    # Imported late: reading settings needs no HTTP.
    from watcher.sources.azure.dialect import AZURE_DIALECT
    from watcher.sources.http_source import HttpSource
    from watcher.sources.openai.dialect import listing

    dialect = listing(AZURE_DIALECT, batches=config.lists == "batches")
    return HttpSource(config.connection(context.name), dialect, context)


plugin = SourcePlugin(Config, build, AZURE_STATES, VARIABLES, event_word=own_words)
