"""The kind of source `mistral`."""

from __future__ import annotations

from watcher.plugins.source import Source, SourceContext, SourcePlugin
from watcher.sources.mistral.config import VARIABLES, Config
from watcher.sources.mistral.states import MISTRAL_STATES


def build(config: Config, context: SourceContext) -> Source:
    """Make a source. Raises ConfigurationError."""
    # Reading the settings alone needs no HTTP.
    from watcher.sources.http_source import HttpSource
    from watcher.sources.mistral.dialect import MistralDialect

    return HttpSource(config.connection(context.name), MistralDialect(), context)


plugin = SourcePlugin(Config, build, MISTRAL_STATES, VARIABLES)
