"""The kind of source `http`."""

from __future__ import annotations

from watcher.domain.states import StateMap
from watcher.plugins.source import Source, SourceContext, SourcePlugin
from watcher.sources.http.config import Config


def build(config: Config, context: SourceContext) -> Source:
    """Make a source. Raises ConfigurationError."""
    # Reading the settings alone needs no HTTP.
    from watcher.sources.http.dialect import HttpDialect
    from watcher.sources.http_source import HttpSource

    return HttpSource(config.connection(), HttpDialect(config), context)


plugin = SourcePlugin(Config, build, StateMap({}), read_states=Config.state_map)
