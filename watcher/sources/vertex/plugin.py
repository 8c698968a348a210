"""The kind of source `vertex`."""

from __future__ import annotations

from watcher.plugins.source import Source, SourceContext, SourcePlugin
from watcher.sources.vertex.config import VARIABLES, Config
from watcher.sources.vertex.ids import read_id
from watcher.sources.vertex.states import VERTEX_STATES

PRIVATE_FIELDS = frozenset({"userDatasetExamples", "serviceAccount"})
"""Examples of the training data, and the address of an account."""


def build(config: Config, context: SourceContext) -> Source:
    """Make a source. Raises ConfigurationError."""
    # Imported late: reading settings needs no HTTP.
    from watcher.sources.http_source import HttpSource
    from watcher.sources.vertex.dialect import VertexDialect

    return HttpSource(config.connection(context.name), VertexDialect(), context)


plugin = SourcePlugin(Config, build, VERTEX_STATES, VARIABLES, read_id=read_id, private_fields=PRIVATE_FIELDS)
