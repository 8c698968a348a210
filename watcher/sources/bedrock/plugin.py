"""The kind of source `bedrock`."""

from __future__ import annotations

from watcher.plugins.source import Source, SourceContext, SourcePlugin
from watcher.sources.bedrock.config import VARIABLES, Config
from watcher.sources.bedrock.ids import read_id
from watcher.sources.bedrock.states import BEDROCK_STATES


def build(config: Config, context: SourceContext) -> Source:
    """Make a source. Raises ConfigurationError."""
    # Imported late: reading settings needs no HTTP.
    from watcher.sources.bedrock.dialect import BedrockDialect
    from watcher.sources.http_source import HttpSource

    return HttpSource(config.connection(context.name), BedrockDialect(), context)


plugin = SourcePlugin(Config, build, BEDROCK_STATES, VARIABLES, read_id=read_id)
