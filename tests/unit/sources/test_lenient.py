"""A value of another kind is not turned into one of the kind that was expected: it reads as None."""

from __future__ import annotations

import json
import math

import pytest

from watcher.sources.lenient import Count, Flag, Number, Part, Setting, Text, Texts, Words


class Sample(Part):
    """An object with one field of each kind."""

    count: Count = None
    flag: Flag = None
    number: Number = None
    setting: Setting = None
    text: Text = None
    texts: Texts = None
    words: Words = None


def read(kind: str, given: object) -> object:
    return getattr(Sample.model_validate_json(json.dumps({kind: given})), kind)


KEPT: dict[str, list[object]] = {
    "count": [0, 5, 2**63 - 1],
    "flag": [True, False],
    "number": [0, -1, 1.5, 2.0, 10**30, math.inf],
    "setting": ["auto", 3, 1.8, -1],
    "text": ["", " ", "true", "naïve"],
    "texts": [[], ["a", "b"], ["a", None]],
    "words": ["", "naïve"],
}
REFUSED: dict[str, list[object]] = {
    "count": [True, False, -1, 5.5, 2**63, 10**400, math.nan, math.inf, "five", [5]],
    "flag": [0, 1, "no", "true", []],
    "number": [True, "1", "auto", [1]],
    "setting": [True, "many", "3", ["auto"]],
    "text": [0, True, ["a"], {}],
    "texts": ["a", {"a": "b"}, 3],
    "words": [0, True, {}, [], [5, {}, ""]],
}


def pairs(table: dict[str, list[object]]) -> list[tuple[str, object]]:
    return [(kind, given) for kind, all_given in table.items() for given in all_given]


@pytest.mark.parametrize(("kind", "given"), pairs(KEPT))
def test_a_value_of_the_expected_kind_is_read_as_it_is(kind: str, given: object) -> None:
    value = read(kind, given)
    assert value == given
    assert type(value) is type(given)


@pytest.mark.parametrize(("kind", "given"), pairs(REFUSED))
def test_a_value_of_another_kind_reads_as_none(kind: str, given: object) -> None:
    assert read(kind, given) is None


@pytest.mark.parametrize("given", [5.0, "5"])
def test_a_count_may_be_written_as_a_decimal_or_a_text(given: object) -> None:
    assert read("count", given) == 5


def test_a_number_that_is_none_is_read_as_it_is() -> None:
    assert math.isnan(float(str(read("number", math.nan))))


def test_what_is_not_known_is_kept() -> None:
    assert Sample.model_validate_json('{"flag":1,"other":[1]}').model_extra == {"other": [1]}
