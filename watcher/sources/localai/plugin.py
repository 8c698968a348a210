"""The kind of source `localai`."""

from __future__ import annotations

from watcher.plugins.source import Source, SourceContext, SourcePlugin
from watcher.sources.localai.config import VARIABLES, Config
from watcher.sources.localai.states import LOCALAI_STATES


def build(config: Config, context: SourceContext) -> Source:
    """Make a source. Raises ConfigurationError."""
    # Reading the settings alone needs no HTTP.
    from watcher.sources.http_source import HttpSource
    from watcher.sources.localai.dialect import LocalAIDialect

    return HttpSource(config.connection(), LocalAIDialect(), context)


plugin = SourcePlugin(Config, build, LOCALAI_STATES, VARIABLES)
