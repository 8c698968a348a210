"""Keeping secrets out of texts: the one place that knows what is secret, and in which spellings it may come back.

A receiver or an API may echo what it was sent as it stands, JSON-escaped, percent-encoded, as HTML or in base64.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, quote, unquote, urlsplit

MASK = "***"
_SHORTEST_PART = 8
"""Parts of a secret that are shorter are ordinary words far more often than secrets."""

_SECRET_KEY = re.compile(
    r"(^|[_-]|api|ssl)(keys?|tokens?|secrets?|passw(or)?d|passphrase|credentials?|webhook_url)$", re.IGNORECASE
)
_MAIL_ADDRESS = re.compile(r"[\w.+-]{1,64}@[\w.-]+")
_QUERY = re.compile(r"(https?:(?:\\?/){2}[^\s\"'<>?]{1,2000}\?)[^\s\"'<>]+")
"""What a signed URL is signed with stands behind its question mark."""
_CERTAIN_MAIL_ADDRESS = re.compile(r"[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[a-z]{2,24}\b", re.IGNORECASE)
_SIGNED_QUERY = re.compile(
    r"(https?://[^\s\"'<>?]{1,2000}\?)"
    r"(?=[^\s\"'<>#]{0,2000}?(?:sig|signature|token|credential|secret|key|password)=)[^\s\"'<>]+",
    re.IGNORECASE,
)
_ESCAPE = re.compile(r"[\\%&]")
"""Without any of these, a text holds nothing that is escaped."""
_URL_SAFE = str.maketrans("+/", "-_")
_NEEDLESS_ESCAPES = str.maketrans({"/": "\\/", "&": "\\u0026", "<": "\\u003c", ">": "\\u003e"})


def without_addresses(text: str) -> str:
    """Return the text without e-mail addresses and without the queries of URLs, one of which may be a signature."""
    return _MAIL_ADDRESS.sub(MASK, _QUERY.sub(rf"\1{MASK}", text))


def shareable(text: str) -> str:
    """Return what a service says as it may be told to others: without e-mail addresses, and without what signs a URL.

    What only looks alike, such as the version behind the `@` of a model's name, stays.
    """
    return _CERTAIN_MAIL_ADDRESS.sub(MASK, _SIGNED_QUERY.sub(rf"\1{MASK}", text))


def looks_secret(key: int | str) -> bool:
    """Return whether what stands under this key is a secret, to go by its name."""
    return _SECRET_KEY.search(str(key)) is not None


def masked_url(text: str) -> str:
    """Return a URL without user and password, and without what looks secret in its query; other text as it is."""
    scheme, separator, rest = text.partition("://")
    if not separator or scheme == "sqlite":  # an @ in the path of a file is no mark of a password
        return text
    _, at, rest = rest.rpartition("@")
    target, question, query = rest.partition("?")
    pairs = [_masked_pair(pair) for pair in query.split("&")]
    return f"{scheme}://{MASK if at else ''}{at}{target}{question}{'&'.join(pairs)}"


def passwords_in(address: str) -> Iterator[str]:
    """Find the passwords in the URL of a server, as they stand and as they are sent."""
    if address.startswith("sqlite:"):
        return  # an @ in the path of a file is no mark of a password
    query = address.partition("?")[2]
    yield from (value for name, value in parse_qsl(query) if looks_secret(name))
    user = address.partition("://")[2].rpartition("@")[0]
    if password := user.partition(":")[2]:
        yield from (password, unquote(password))


def _masked_pair(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    return f"{name}={MASK}" if equals and looks_secret(name) else pair


class Redactor:
    """Hides known secrets, whole or in part, in any of the usual encodings."""

    def __init__(self, secrets: Iterable[str], *, parts: bool = True) -> None:
        """Make a mask for these secrets: URLs, values of headers, signing secrets.

        Args:
            secrets: What must not be shown.
            parts: Whether to hide the secret parts of each as well, as the token in a URL. In texts that are not
                about the secret, such as a log, ordinary words are the same as parts of a path.
        """
        wanted = {text for secret in secrets for text in (secret, *(_parts(secret) if parts else ())) if text}
        plain = {spelling for text in wanted for spelling in (*_spellings(text), *_in_base64(text)) if spelling}
        self._plain = _any_of(map(re.escape, sorted(plain, key=len, reverse=True)))
        self._escaped = _any_of(_escaped_anyhow(text) for text in sorted(wanted, key=len, reverse=True))

    def hide(self, text: str) -> str:
        """Return the text with each occurrence of a secret replaced by `***`."""
        if self._plain is None or self._escaped is None:
            return text
        hidden = self._plain.sub(MASK, text)
        # Trying every spelling of every character is slow, and seldom needed.
        return self._escaped.sub(MASK, hidden) if _ESCAPE.search(hidden) else hidden


def _any_of(patterns: Iterable[str]) -> re.Pattern[str] | None:
    joined = "|".join(patterns)
    return re.compile(joined, re.IGNORECASE) if joined else None


def _escaped_anyhow(text: str) -> str:
    """Return a pattern for the text, each character of which may be written in any of the usual ways."""
    return "".join(map(_spelled_anyhow, unquote(text)))


def _spelled_anyhow(character: str) -> str:
    code = ord(character)
    units = character.encode("utf-16-be", "surrogatepass").hex()
    in_json = "".join(rf"\\+u{units[start : start + 4]}" for start in range(0, len(units), 4))
    in_url = "".join(f"%(?:25)*{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))
    in_html = rf"&#0*{code};|&#x0*{code:x};|{re.escape(_in_html(character))}"
    return rf"(?:\\*{re.escape(character)}|{in_json}|{in_url}|{in_html})"


def _in_html(text: str) -> str:
    from html import escape  # it loads the names of all characters, and most processes mask nothing

    return escape(text)


def _in_base64(text: str) -> Iterator[str]:
    """Yield what the text looks like within base64 of a longer one, wherever it begins in it."""
    if not _is_telling(text):
        return
    content = text.encode("utf-8", "surrogatepass")
    for offset in range(3):
        encoded = b64encode(b"\0" * offset + content).decode().rstrip("=")
        # What its neighbours may change is left out: characters that hold bits of what stands before and after it.
        inner = encoded[-(-offset * 4 // 3) : len(encoded) - (1 if (offset + len(content)) % 3 else 0)]
        yield from (inner, inner.translate(_URL_SAFE))


def _parts(secret: str) -> Iterator[str]:
    if "://" in secret:
        yield from _parts_of_url(secret)
    else:
        words = secret.replace(",", " ").split()  # `Bearer …`, or several signing secrets
        yield from filter(_is_telling, words)
        yield from filter(_is_telling, (word.removeprefix("whsec_") for word in words))


def _parts_of_url(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    if parts.password is not None:
        user, password = unquote(parts.username or ""), unquote(parts.password)
        yield from (password, b64encode(f"{user}:{password}".encode()).decode())
    target = f"{parts.path}?{parts.query}"
    values = (value for _, value in parse_qsl(parts.query))
    yield from filter(_is_telling, (target, parts.path, parts.query, *parts.path.split("/"), *values))


def _is_telling(part: str) -> bool:
    return len(part) >= _SHORTEST_PART


def _spellings(text: str) -> set[str]:
    plain = unquote(text)
    in_urls = {text, plain, quote(plain), quote(plain, safe="")}
    in_pages = {_in_html(form) for form in in_urls}
    in_json = {json.dumps(form)[1:-1] for form in in_urls}
    # Writers of JSON differ in what they escape beyond need.
    return in_urls | in_pages | in_json | {form.translate(_NEEDLESS_ESCAPES) for form in in_json}
