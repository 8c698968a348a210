"""Secrets are hidden however a receiver spells them."""

from __future__ import annotations

import pytest

from watcher.redaction import Redactor

URL = "https://user:p%40ss@hooks.example/team/Tok3n%2Fabc?key=A%26Bcdefgh&x=1"


@pytest.mark.parametrize(
    "echo",
    [
        URL,
        "/team/Tok3n%2Fabc?key=A%26Bcdefgh&x=1",
        "/team/Tok3n/abc",
        "Tok3n%2Fabc",
        "Tok3n/abc",
        "tok3n/ABC",
        "Tok3n\\/abc",
        "Tok3n/abc?key=A%26Bcdefgh\\u0026x=1",
        "p@ss",
        "p%40ss",
        "dXNlcjpwQHNz",
        "A&Bcdefgh",
        "A&amp;Bcdefgh",
        "A\\u0026Bcdefgh",
    ],
)
def test_parts_of_an_address_are_hidden(echo: str) -> None:
    hidden = Redactor([URL]).hide(f"you sent: {echo} to us")
    assert hidden.startswith("you sent: ")
    assert hidden.endswith(" to us")
    assert "***" in hidden
    assert echo not in hidden


@pytest.mark.parametrize(
    ("secret", "echo"),
    [
        ("Bearer abcdef123", "token abcdef123 has expired"),
        ("Bearer abcdef123", "got: Bearer abcdef123"),
        ("whsec_c2VjcmV0c2Vj", "c2VjcmV0c2Vj"),
        ("x", "x"),
        ('q"uote', 'you sent "q\\"uote"'),
        ("a<b", "a&lt;b"),
    ],
)
def test_values_of_headers_and_keys_are_hidden(secret: str, echo: str) -> None:
    hidden = Redactor([secret]).hide(echo)
    assert "***" in hidden
    assert secret.removeprefix("Bearer ").removeprefix("whsec_") not in hidden


def test_ordinary_words_of_an_address_stay_readable() -> None:
    text = "the hook of team x wants key=value"
    assert Redactor(["https://h.example/team/hook?key=x1"]).hide(text) == text


def test_a_longer_secret_is_hidden_whole() -> None:
    assert Redactor(["abc", "abcdef"]).hide("-abcdef-") == "-***-"


@pytest.mark.parametrize("secrets", [[], [""]])
def test_without_secrets_nothing_changes(secrets: list[str]) -> None:
    assert Redactor(secrets).hide("a b") == "a b"
