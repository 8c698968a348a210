"""The kind of source `huggingface`."""

from __future__ import annotations

from watcher.plugins.source import Source, SourceContext, SourcePlugin, any_id
from watcher.sources.huggingface.config import VARIABLES, Config
from watcher.sources.huggingface.states import HUGGINGFACE_STATES

PRIVATE_FIELDS = frozenset({"owner", "initiator", "environment", "secrets"})
"""People, and what their programs are given."""


def read_id(text: str) -> str:
    """Return the id of a job. Raises ValueError for one with its namespace, which stands in the settings."""
    if "/" in any_id(text):
        raise ValueError(
            "a job id such as 68a1f0c2e4b0a1b2c3d4e5f6; its namespace stands in the settings of the source"
        )
    return text


def build(config: Config, context: SourceContext) -> Source:
    """Make a source. Raises ConfigurationError."""
    # Imported late: reading settings needs no HTTP.
    from watcher.sources.http_source import HttpSource
    from watcher.sources.huggingface.dialect import HuggingFaceDialect

    return HttpSource(config.connection(context.name), HuggingFaceDialect(config.page_for_people()), context)


plugin = SourcePlugin(Config, build, HUGGINGFACE_STATES, VARIABLES, read_id=read_id, private_fields=PRIVATE_FIELDS)
