"""What can be the base URL of a service, and what can stand in a header."""

from __future__ import annotations

import pytest

from watcher.domain.addresses import host_of, is_address, is_base_url, is_header_text


@pytest.mark.parametrize(
    "url", ["http://h", "https://h:8443/v1", "http://127.0.0.1:1", "http://[::1]:8000/v1", "HTTPS://H"]
)
def test_where_requests_can_be_sent(url: str) -> None:
    assert is_base_url(url)


@pytest.mark.parametrize(
    "url",
    [
        *("", "h", "h/v1", "//h", "ftp://h", "http://", "http:///v1", "http://:80", "file:///etc"),
        *("http://h:0", "http://h:99999", "http://h:x", "http://[::1", "http://h?a=1", "http://h/#a"),
        *(
            "http://h/?",
            "http://h/#",
            "http://@h",
            "http://h\\\\x",
            "http://[::1]x",
            "http://h:٣",
            "http://h/" + "x" * 2000,
        ),
        *("http://ann@h", "http://ann:pw@h", "http://:pw@h"),
        *("http://h/a b", "http://h h/", "http://h/\n", " http://h", "http://h\t", "http://h/\x1b"),
    ],
)
def test_where_they_cannot(url: str) -> None:
    assert not is_base_url(url)


def test_what_is_asked_as_it_stands_may_have_a_query() -> None:
    assert is_address("https://h/push/t?status=up&msg=OK&ping=")
    assert not any(map(is_address, ("https://h?a b", "https://h?a#b", "https://h?a\\b", "https://h?\x1b", "h?a=b")))


@pytest.mark.parametrize("text", ["sk-1", "", "a+/=:"])
def test_what_can_stand_in_a_header(text: str) -> None:
    assert is_header_text(text)


@pytest.mark.parametrize("text", ["a b", "ü", "\r\n", "\x7f", " "])
def test_what_cannot(text: str) -> None:
    assert not is_header_text(text)


def test_the_host_is_told_as_names_are_compared() -> None:
    assert host_of("https://API.Example:8443/v1") == "api.example"
    assert host_of("nonsense") is None
