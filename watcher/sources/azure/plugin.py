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

    return HttpSource(config.connection(context.name), AZURE_DIALECT, context)


plugin = SourcePlugin(Config, build, AZURE_STATES, VARIABLES, event_word=own_words)
