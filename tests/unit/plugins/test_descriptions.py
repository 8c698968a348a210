"""What the keys of a section mean is read from the words below them."""

from __future__ import annotations

from pydantic import Field, create_model

from watcher.plugins.descriptions import descriptions
from watcher.plugins.section import Section


class Room(Section):
    """A section."""

    size: int = 1
    """How large it is,
    in square metres."""
    colour: str = "white"
    floor: str = Field(default="wood", description="What one walks on.")
    """Not told: the field says it."""


class Kitchen(Room):
    """A section that says more, and one thing otherwise."""

    colour: str = "blue"
    """What it is painted in."""
    stove: bool = True
    """Whether food can be cooked."""


def test_the_words_below_a_field_describe_it() -> None:
    assert descriptions(Room)["size"] == "How large it is,\nin square metres."
    assert "colour" not in descriptions(Room)


def test_fields_of_bases_are_described_too() -> None:
    assert descriptions(Kitchen) == descriptions(Room) | {
        "colour": "What it is painted in.",
        "stove": "Whether food can be cooked.",
    }


def test_a_section_that_is_made_at_run_time_has_the_words_of_its_bases() -> None:
    made = create_model("Room", __base__=Kitchen, light=(int, 3))
    assert descriptions(made) == descriptions(Kitchen)


def test_the_schema_describes_each_key_once() -> None:
    described = {name: key.get("description") for name, key in Kitchen.model_json_schema()["properties"].items()}
    assert described == {
        "size": "How large it is,\nin square metres.",
        "colour": "What it is painted in.",
        "floor": "What one walks on.",
        "stove": "Whether food can be cooked.",
    }
