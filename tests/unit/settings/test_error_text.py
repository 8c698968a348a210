"""The words for mistakes that the watcher's own settings do not make, but those of plugins may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator

from watcher.plugins.section import Section
from watcher.settings.error_text import Origin, nearest, told, written


def refuse(value: SecretStr) -> SecretStr:
    raise ValueError(f"{value.get_secret_value()} will not do")


class Lamp(Section):
    """Of a room."""

    watts: int = 40
    colour: str | int = "white"
    bulb_token: str = ""

    @field_validator("bulb_token")
    @classmethod
    def _check(cls, token: str) -> str:
        if token:
            raise ValueError(f"no bulb knows {token}")
        return token


@dataclass
class Shelf:
    """Not made for settings, but allowed by pydantic."""

    books: int


class Room(Section):
    """As a plugin might have it."""

    lamp: Lamp = Field(default_factory=Lamp)
    lamps: dict[str, Lamp] = Field(default_factory=dict)
    more: list[Lamp] | None = None
    key: Annotated[SecretStr, AfterValidator(refuse)] | None = None
    shelf: Shelf | None = None
    doors: dict[str, SecretStr] = Field(default_factory=dict)
    size: Annotated[int, Field(ge=1)] = 1


def mistakes(**given: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Room.model_validate(given)
    origin = Origin({"notifiers": {"room": given}}, [({"notifiers": {"room": given}}, written)])
    told_so = told(caught.value, Room, origin, ("notifiers", "room"))
    return [mistake.removeprefix("notifiers.room.") for mistake in told_so]


@pytest.mark.parametrize(
    ("given", "mistake"),
    [
        (
            {"lamp": {"watts": "many"}},
            "lamp.watts: got 'many', expected a valid integer, unable to parse string as an integer",
        ),
        ({"lamp": {"wats": 5}}, "lamp.wats: unknown key; did you mean 'watts'?"),
        ({"lamps": {"a": {"wats": 5}}}, "lamps.a.wats: unknown key; did you mean 'watts'?"),
        ({"watts": 5}, "watts: unknown key; it belongs in the table 'lamp'"),
        ({"books": 5}, "books: unknown key; expected one of: doors, key, key_file, lamp, lamps, more, shelf, size"),
        ({"lamps": {"a": {"watts": []}}}, "lamps.a.watts: got a list, expected a valid integer"),
        ({"more": [{}, {"wats": 5}]}, "more[1].wats: unknown key; did you mean 'watts'?"),
        ({"more": [{}, "sk-1"]}, "more[1]: got text, expected a table"),
        (
            {"shelf": {"books": "sesame"}},
            "shelf.books: got text, expected a valid integer, unable to parse string as an integer",
        ),
        ({"size": 0}, "size: got 0, expected greater than or equal to 1"),
        ({"key": "sesame"}, "key: *** will not do"),
        ({"lamp": {"bulb_token": "sesame"}}, "lamp.bulb_token: no bulb knows ***"),
        ({"doors": {"front": 5}}, "doors.front: expected text"),
        ({"doors": "sesame"}, "doors: expected a table"),
    ],
)
def test_the_settings_of_plugins_are_told_alike(given: dict[str, Any], mistake: str) -> None:
    assert mistakes(**given) == [mistake]


def test_the_choices_of_a_union_are_told_at_the_key() -> None:
    assert mistakes(lamp={"colour": [1]}) == [
        "lamp.colour: got a list, expected text",
        "lamp.colour: got a list, expected a valid integer",
    ]


@pytest.mark.parametrize(
    ("word", "found"),
    [("intervall", "interval"), ("lables", "labels"), ("zzz", None), ("", None), ("interval", "interval")],
)
def test_a_typing_error_finds_its_word(word: str, found: str | None) -> None:
    assert nearest(word, ["interval", "labels"]) == found


def test_keys_are_written_as_people_write_them() -> None:
    assert written(("jobs", 0, "labels", "a b.c")) == "jobs[0].labels.'a b.c'"
    assert written(()) == ""
    assert len(written(("x" * 5000,))) == 200
