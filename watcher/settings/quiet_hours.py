"""When a notifier is left alone, and when its digest comes: times of day in a time zone."""

from __future__ import annotations

import re
from datetime import UTC, time, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from watcher.plugins.section import Section, expected
from watcher.settings.values import StatusName

_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


def zone_of(name: str | None) -> tzinfo:
    """Return the time zone of this name; UTC for None. Raises ValueError for a name that is not known."""
    if name is None:
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        raise ValueError(name) from None


def _read_time(given: object) -> time:
    # TOML has times of its own: `quiet.from = 20:00:00`.
    if isinstance(given, time) and not (given.second or given.microsecond):
        return given.replace(tzinfo=None)
    found = _TIME.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise expected('a time of day such as "20:00"')
    return time(int(found[1]), int(found[2]))


def _check_zone(name: str) -> str:
    try:
        zone_of(name)
    except ValueError:
        rule = 'a time zone of the IANA database, such as "Europe/Berlin", or "UTC"'
        raise expected(rule) from None
    return name


TimeOfDay = Annotated[
    time,
    BeforeValidator(_read_time),
    PlainSerializer(lambda at: f"{at:%H:%M}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_TIME.pattern}$", "examples": ["20:00"]}),
]
TimeZone = Annotated[str, AfterValidator(_check_zone)]


class QuietSettings(Section):
    """The hours of each day in which a notifier is left alone; what comes then is told in one message at their end."""

    model_config = ConfigDict(serialize_by_alias=True)

    begin: TimeOfDay = Field(alias="from")
    """When they begin."""
    end: TimeOfDay = Field(alias="to")
    """When they are over; on the next day if that is not later."""
    tz: TimeZone | None = None
    """The time zone, such as `Europe/Berlin`. Default: the `timezone` of the notifier."""
    exempt: tuple[StatusName, ...] = Field(default=(), alias="except")
    """Statuses, states and last words of types, such as `failed` and `stuck`, that come at any hour."""

    @model_validator(mode="before")
    @classmethod
    def _be_a_table(cls, given: object) -> object:
        if isinstance(given, str):
            raise expected('a table such as { from = "20:00", to = "07:00" }')
        return given

    @model_validator(mode="after")
    def _have_a_length(self) -> QuietSettings:
        if self.begin == self.end:
            raise PydanticCustomError(
                "mistake", "{why}", {"why": "from and to are the same: leave quiet out, or silence it"}
            )
        return self
