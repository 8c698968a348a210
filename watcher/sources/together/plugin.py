"""The kind of source `together`."""

from __future__ import annotations

from watcher.plugins.source import Source, SourceContext, SourcePlugin
from watcher.sources.together.config import VARIABLES, Config
from watcher.sources.together.states import TOGETHER_STATES


def build(config: Config, context: SourceContext) -> Source:
    """Make a source. Raises ConfigurationError."""
    # Imported late: reading settings needs no HTTP.
    from watcher.sources.http_source import HttpSource
    from watcher.sources.together.dialect import TogetherDialect

    return HttpSource(config.connection(context.name), TogetherDialect(), context)


plugin = SourcePlugin(Config, build, TOGETHER_STATES, VARIABLES)
