"""Where the server may listen."""

from __future__ import annotations

from pathlib import Path

import pytest

from watcher.errors import ConfigurationError
from watcher.server.listening import Listen, check_exposure, parse_listen


@pytest.mark.parametrize(
    ("text", "listen", "is_private"),
    [
        ("127.0.0.1:8321", Listen("127.0.0.1", 8321), True),
        ("127.8.8.8:1", Listen("127.8.8.8", 1), True),
        ("localhost:8321", Listen("localhost", 8321), True),
        ("[::1]:8321", Listen("::1", 8321), True),
        ("unix:/run/watcher/http.sock", Listen(path=Path("/run/watcher/http.sock")), True),
        ("0.0.0.0:8321", Listen("0.0.0.0", 8321), False),
        ("[::]:8321", Listen("::", 8321), False),
        ("10.0.0.1:65535", Listen("10.0.0.1", 65535), False),
        ("watcher.example.com:80", Listen("watcher.example.com", 80), False),
        ("localhost.example.com:80", Listen("localhost.example.com", 80), False),
    ],
)
def test_an_address_is_read_and_judged(text: str, listen: Listen, is_private: bool) -> None:
    assert parse_listen(text) == listen
    assert str(listen) == text
    assert listen.is_private == is_private
    check_exposure(listen, has_token=True)
    if is_private:
        check_exposure(listen, has_token=False)
    else:
        with pytest.raises(ConfigurationError, match=r"http\.token"):
            check_exposure(listen, has_token=False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8321",
        ":8321",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:http",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1:²",
        "::1:8321",
        "[127.0.0.1]:8321",
        "[]:8321",
        "a b:8321",
        "unix:",
        "unix:http.sock",
        "http://127.0.0.1:8321",
        "127.0.0.1\n:8321",
        "unix:/run/\0",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"http\.listen: expected HOST:PORT"):
        parse_listen(text)
