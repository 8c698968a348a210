"""Templates in the settings: tried with a sample of every kind of event, so that none breaks when it matters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

_SAMPLED_AT = datetime(2026, 1, 1, tzinfo=UTC)


def _check_template(text: str) -> str:
    # Imported late: few settings have any.
    from watcher.domain.samples import kinds, sample
    from watcher.templates import Template, TemplateMistake

    tried = ""
    try:
        template = Template(text)
        for kind in kinds():
            tried = f" (in a sample of {kind!r}; `watcher notify test NAME --sample {kind}` sends one)"
            if (values := sample(kind, _SAMPLED_AT).values) is not None:
                template.render(values())
    except TemplateMistake as error:
        raise PydanticCustomError("mistake", "{why}", {"why": f"{error}{tried}"}) from None
    return text


TemplateText = Annotated[str, AfterValidator(_check_template)]
"""A template of a title or a text: see `watcher.templates`."""
