"""Secrets are hidden however a receiver spells them."""

from __future__ import annotations

import html
from base64 import b64encode
from time import process_time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.redaction import Redactor, looks_secret, masked_url, shareable, without_addresses

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


KEY = "sk/Attack+KEY/0123456789abcdefQ=="


@pytest.mark.parametrize(
    "echo",
    [
        pytest.param(KEY, id="as it stands"),
        pytest.param(KEY.replace("/", "\\/"), id="JSON with escaped slashes"),
        pytest.param("".join(f"\\u{ord(each):04x}" for each in KEY), id="JSON with every character escaped"),
        pytest.param("".join(f"\\u{ord(each):04X}" for each in KEY), id="the same in upper case"),
        pytest.param("sk\\/Attack\\u002bKEY%2f0123456789abcdefQ&#61;=", id="a mixture"),
        pytest.param(quote(KEY, safe=""), id="percent-encoded"),
        pytest.param(quote(quote(KEY, safe=""), safe=""), id="percent-encoded twice"),
        pytest.param("".join(f"%{ord(each):02x}" for each in KEY), id="percent-encoded whole"),
        pytest.param(html.escape(KEY), id="HTML"),
        pytest.param("".join(f"&#{ord(each)};" for each in KEY), id="HTML by numbers"),
        pytest.param("".join(f"&#x{ord(each):x};" for each in KEY), id="HTML by numbers in hexadecimal"),
    ],
)
def test_a_key_is_hidden_in_every_usual_spelling(echo: str) -> None:
    assert Redactor([KEY], parts=False).hide(f"<{echo}>") == "<***>"


def test_a_key_is_hidden_as_html_writes_it() -> None:
    key = "k<e>y&\"0123'4567"
    assert Redactor([key], parts=False).hide(f"got {html.escape(key)}") == "got ***"


@pytest.mark.parametrize("before", ["", "a", "ab", "user:", "Bearer "])
@pytest.mark.parametrize("after", ["", "z", "\n"])
def test_a_key_is_hidden_within_base64_wherever_it_begins(before: str, after: str) -> None:
    encoded = b64encode(f"{before}{KEY}{after}".encode()).decode()
    for spelling in (encoded, encoded.replace("+", "-").replace("/", "_")):
        hidden = Redactor([KEY], parts=False).hide(f"got {spelling}")
        assert "***" in hidden
        assert len(hidden) < 25


@given(st.text(st.characters(exclude_characters="*|"), min_size=1, max_size=60), st.text(max_size=200))
def test_whatever_the_secret_the_text_never_holds_it(secret: str, text: str) -> None:
    hidden = Redactor([secret], parts=False).hide(f"{text}{secret}{text}")
    assert secret not in hidden.replace("***", "|")


def test_a_log_keeps_words_that_are_parts_of_a_secret() -> None:
    url = "https://hooks.example/services/T00000000"
    assert Redactor([url], parts=False).hide("2 services run") == "2 services run"
    assert Redactor([url]).hide("2 services run") == "2 *** run"


def test_long_texts_are_searched_quickly() -> None:
    """A body that is nothing but escapes, and almost the secret over and over."""
    redactor = Redactor([KEY, "https://u:pa55word@h.example/hooks/abcdefgh?key=ijklmnop"])
    begun = process_time()
    redactor.hide("\\u0073k/" * 20_000)
    assert process_time() - begun < 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"createdBy": "some.user+x@mail.example.com"}', '{"createdBy": "***"}'),
        ("user@exam", "***"),
        ('"https://h.example/a/b?X-Signature=abc&x=1", 5', '"https://h.example/a/b?***", 5'),
        (r'"https:\/\/h.example\/a?sig=abc"', r'"https:\/\/h.example\/a?***"'),
        ("what? a @ sign, https://h.example/a", "what? a @ sign, https://h.example/a"),
    ],
)
def test_addresses_and_signatures_are_left_out(text: str, shown: str) -> None:
    assert without_addresses(text) == shown


def test_leaving_addresses_out_takes_no_time_however_hostile_the_text() -> None:
    began = process_time()
    for text in ("a" * 100_000, "https://" * 10_000, "a@" * 50_000):
        without_addresses(text)
        shareable(text)
    assert process_time() - began < 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("user a.b+c@mail.example.com may not", "user *** may not"),
        ("tuner@my-project.iam.gserviceaccount.com", "***"),
        ("projects/1/models/m-1@1 and user@host", "projects/1/models/m-1@1 and user@host"),
        ("GET https://h.example/a?x=1&X-Amz-Signature=ab%2F: 403", "GET https://h.example/a?*** 403"),
        ("https://h.example/a?sv=1&sig=abc", "https://h.example/a?***"),
        ("https://h.example/a?AWSAccessKey=abc", "https://h.example/a?***"),
        ("see https://h.example/a?page=2#sig=", "see https://h.example/a?page=2#sig="),
        ("Why? https://h.example/a", "Why? https://h.example/a"),
    ],
)
def test_what_is_told_to_others_holds_neither_addresses_nor_signatures(text: str, shown: str) -> None:
    assert shareable(text) == shown


@pytest.mark.parametrize(
    "key", ["api_key", "apikey", "token", "client_secret", "PASSWORD", "webhook_url", "keys", "x-api-key"]
)
def test_keys_of_secrets_are_known_by_their_names(key: str) -> None:
    assert looks_secret(key)


@pytest.mark.parametrize(
    "key", ["api_key_file", "monkey", "keyboard", "tokens_per_second", "base_url", "secretary", "auth"]
)
def test_other_keys_are_not(key: str) -> None:
    assert not looks_secret(key)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("http://h/p?a=1&token=x", "http://h/p?a=1&token=***"),
        ("http://ann:pw@h/p", "http://***@h/p"),
        ("http://token@h", "http://***@h"),
        ("http://a:b/c@h", "http://***@h"),
        ("http://h/?token", "http://h/?token"),
        ("ann@example.org", "ann@example.org"),
        ("plain", "plain"),
    ],
)
def test_urls_are_shown_without_what_is_secret(text: str, masked: str) -> None:
    assert masked_url(text) == masked
