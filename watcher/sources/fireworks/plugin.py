"""The kind of source `fireworks`."""

from __future__ import annotations

from watcher.plugins.source import Source, SourceContext, SourcePlugin
from watcher.sources.fireworks.config import VARIABLES, Config
from watcher.sources.fireworks.ids import read_id
from watcher.sources.fireworks.states import FIREWORKS_STATES

PRIVATE_FIELDS = frozenset(
    {"createdBy", "metricsFileSignedUrl", "trainerLogsSignedUrl", "renderSamplesSignedUrl", "apiKey"}
)
"""An e-mail address, three signed URLs, and a key of Weights & Biases."""


def build(config: Config, context: SourceContext) -> Source:
    """Make a source. Raises ConfigurationError."""
    # Imported late: reading settings needs no HTTP.
    from watcher.sources.fireworks.dialect import FireworksDialect
    from watcher.sources.http_source import HttpSource

    return HttpSource(config.connection(context.name), FireworksDialect(), context)


plugin = SourcePlugin(Config, build, FIREWORKS_STATES, VARIABLES, read_id=read_id, private_fields=PRIVATE_FIELDS)
