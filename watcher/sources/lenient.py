"""The kinds of values in a job object: each reads as None where the API gave something else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainValidator,
    StrictBool,
    StrictFloat,
    StrictInt,
)
from pydantic_core import CoreSchema, core_schema

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
"""What lies outside is no date of a job: the specification's own example says 0, and some services say -1."""
_LARGEST_COUNT = 2**63 - 1

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _ElseNone:
    """Lets an unexpected shape read as None, inside pydantic's compiled code: cheaper than a validator in Python."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_default_schema(handler(source), default=None, on_error="default")


def _read_time(given: object) -> datetime | None:
    """Read Unix seconds or an RFC 3339 string; a string without an offset is UTC."""
    try:
        if isinstance(given, str):
            at = datetime.fromisoformat(given.upper())
            at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
        elif isinstance(given, int | float) and not isinstance(given, bool):
            at = datetime.fromtimestamp(given, UTC)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return at if EARLIEST <= at < LATEST else None


def words_of(given: object) -> object:
    """Return a list of texts, or of objects with a message, as one text, and anything else as it is."""
    if not isinstance(given, list):
        return given
    each = [part.get("message") if isinstance(part, dict) else part for part in given]
    return "; ".join(text for text in each if text and isinstance(text, str)) or None


def _no_flag(given: object) -> object:
    """Refuse true and false, which pydantic would count as 1 and 0."""
    if isinstance(given, bool):
        raise ValueError("not a number")  # noqa: TRY004 - pydantic takes only a ValueError for a refusal
    return given


Tolerant: TypeAlias = Annotated[T | None, _ElseNone()]
"""A value, or None when the API gave null, nothing, or another shape."""

Text: TypeAlias = Tolerant[str]
"""Text. What the reference lists as a choice of words is text too: services have added words over time."""
Words: TypeAlias = Tolerant[Annotated[str, BeforeValidator(words_of)]]
"""Text for people, such as the reason of a failure: some services write a list of it."""
Texts: TypeAlias = Tolerant[list[Text]]
Flag: TypeAlias = Tolerant[StrictBool]
Number: TypeAlias = Tolerant[StrictInt | StrictFloat]
Count: TypeAlias = Tolerant[Annotated[int, Field(ge=0, le=_LARGEST_COUNT), BeforeValidator(_no_flag)]]
"""A whole number that fits a database; some services write it as `5.0` or `"5"`."""
Setting: TypeAlias = Tolerant[Literal["auto"] | StrictInt | StrictFloat]
"""A hyperparameter: `"auto"` until the files are validated, then a number. Azure says -1 for `"auto"`."""
Timestamp: TypeAlias = Annotated[datetime | None, PlainValidator(_read_time)]
"""A moment, aware UTC: Unix seconds at OpenAI, RFC 3339 strings at some other services."""


class Part(BaseModel):
    """An object in a job object. Fields that are not known are kept, in `model_extra`."""

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)
