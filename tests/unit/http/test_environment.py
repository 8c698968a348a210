"""What the environment says about the way to servers is read once, and what is wrong with it is said in words."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.unit.http.servers import LONG_TIMEOUT
from watcher.errors import ConfigurationError
from watcher.http import HttpClient, tls_context
from watcher.http.environment import choose_transport, read_proxies


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme in ("HTTP", "HTTPS", "ALL", "NO"):
        monkeypatch.delenv(f"{scheme}_PROXY", raising=False)
        monkeypatch.delenv(f"{scheme}_proxy".lower(), raising=False)


@pytest.mark.parametrize(
    ("entries", "url", "is_exempt"),
    [
        ("*", "http://api.example.com/", True),
        ("example.com", "http://api.example.com/", True),
        (".example.com", "http://api.example.com/", True),
        ("*.example.com", "http://api.example.com/", True),
        ("EXAMPLE.com", "http://example.com/", True),
        ("ample.com", "http://example.com/", False),
        ("example.com:8080", "http://example.com:8080/", True),
        ("example.com:8080", "http://example.com/", False),
        ("10.0.0.0/8", "http://10.1.2.3/", True),
        ("10.0.0.0/8", "http://11.1.2.3/", False),
        ("10.0.0.0/8", "http://api.example.com/", False),
        ("fd07:b51a:cc66:f0::/64", "http://[fd07:b51a:cc66:f0::1]/", True),
        ("fd07:b51a:cc66:f0::/64", "http://127.0.0.1/", False),
        ("[::1]", "http://[::1]:8000/", True),
        ("::1", "http://[::1]:8000/", True),
        ("[::1]:8000", "http://[::1]:8000/", True),
        ("[::1]:8000", "http://[::1]:8001/", False),
        ("127.0.0.1:8000", "http://127.0.0.1:8000/", True),
        ("nonsense/99, ,:::::,[", "http://127.0.0.1/", False),
        ("a, 127.0.0.1", "http://127.0.0.1/", True),
    ],
)
def test_no_proxy_names_hosts_domains_networks_and_ports(
    entries: str, url: str, *, is_exempt: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example.net:3128")
    monkeypatch.setenv("NO_PROXY", entries)

    assert (read_proxies().proxy_for(httpx.URL(url)) is None) is is_exempt


def test_the_proxy_of_a_scheme_comes_before_the_one_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "all.example.net:1")
    monkeypatch.setenv("https_proxy", "http://https.example.net:2")
    proxies = read_proxies()

    assert str(proxies.proxy_for(httpx.URL("http://a/"))) == "http://all.example.net:1/"
    assert str(proxies.proxy_for(httpx.URL("https://a/"))) == "http://https.example.net:2/"


@pytest.mark.parametrize(
    "address",
    [
        "http://user:hunter2#x@127.0.0.1:3128",
        "http://user:99hunter2/x@127.0.0.1:3128",
        "http://user:99#hunter2@127.0.0.1:3128",
        "http://user:99?hunter2@127.0.0.1:3128",
        "http://hunter2:hunter2:hunter2",
        "http://",
        "ftp://user:hunter2@127.0.0.1:3128",
    ],
)
async def test_a_proxy_that_cannot_be_is_named_without_its_password(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", address)
    async with HttpClient(LONG_TIMEOUT) as client:
        with pytest.raises(ConfigurationError, match=r"^HTTP_PROXY: ") as raised:
            client.request("GET", "http://api.example.com/")
        client.request("GET", "https://api.example.com/")  # needs no proxy, so nothing is wrong

    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("variable", "content", "words"),
    [
        ("SSL_CERT_FILE", None, "SSL_CERT_FILE: cannot read .*: No such file or directory"),
        ("SSL_CERT_FILE", "this is no certificate", "SSL_CERT_FILE: .* holds no certificates in PEM form"),
        ("SSL_CERT_DIR", None, "SSL_CERT_DIR: .* is not a directory"),
    ],
)
def test_certificates_that_are_not_there_are_said_to_be(
    variable: str, content: str | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content:
        (tmp_path / "ca.pem").write_text(content)
    monkeypatch.setenv(variable, str(tmp_path / "ca.pem"))

    for make in (lambda: HttpClient(LONG_TIMEOUT), tls_context):
        with pytest.raises(ConfigurationError, match=words):
            make()


def test_a_file_for_tls_secrets_that_cannot_be_written_is_no_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", "/nonexistent/keys.log")

    tls_context().with_roots()


@pytest.mark.parametrize(("wish", "name"), [("", "pyreqwest"), ("pyreqwest", "pyreqwest"), ("httpx", "httpx")])
def test_the_transport_can_be_chosen(wish: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHER_HTTP_TRANSPORT", wish)

    assert choose_transport() == name


def test_a_transport_that_nobody_knows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHER_HTTP_TRANSPORT", "curl")

    with pytest.raises(ConfigurationError, match="WATCHER_HTTP_TRANSPORT must be pyreqwest or httpx"):
        HttpClient(LONG_TIMEOUT)


def test_without_a_wheel_for_the_platform_httpx_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.delenv("WATCHER_HTTP_TRANSPORT", raising=False)
    assert choose_transport() == "httpx"

    monkeypatch.setenv("WATCHER_HTTP_TRANSPORT", "pyreqwest")
    with pytest.raises(ConfigurationError, match="pyreqwest is not installed"):
        choose_transport()
