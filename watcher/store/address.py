"""The URL of a store: what it may be, and what it stands for.

`config check` and the service read it by the same function, so that one never accepts what the other refuses.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl

from watcher.errors import ConfigurationError
from watcher.redaction import MASK

URL_RULE = "expected sqlite:////path/of/file.db or postgresql://user:password@host/database"
_SQLITE, _POSTGRESQL = "sqlite:///", "postgresql://"
_ESCAPES = {"%": "%25", "?": "%3F", "#": "%23"}
"""What ends or changes the path of a URL. Any other character stands for itself, spaces too."""
_ESCAPE = re.compile("%(25|3[fF]|23)")
_PARAMETER = re.compile(r"[a-z_]{1,40}")
_HIGHEST_PORT = 65535
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
_CHOICES: Mapping[str, frozenset[str]] = {
    "sslmode": frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}),
    "target_session_attrs": frozenset({"any", "read-write", "read-only", "primary", "standby", "prefer-standby"}),
    "channel_binding": frozenset({"disable", "prefer", "require"}),
    "gssencmode": frozenset({"disable", "prefer", "require"}),
    "load_balance_hosts": frozenset({"disable", "random"}),
    "keepalives": frozenset({"0", "1"}),
}
_NUMBERS = ("connect_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout")


class UrlError(ConfigurationError):
    """The URL cannot name a store; the text does not repeat it, because it may hold a password."""


class DriverMissingError(ConfigurationError):
    """The URL may be right, but nothing is installed that could connect to it."""


@dataclass(frozen=True, slots=True)
class FileAddress:
    """An SQLite database."""

    path: Path


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A PostgreSQL database."""

    parameters: Mapping[str, str] = field(repr=False)
    """What libpq, the client library of PostgreSQL, reads out of the URL."""

    @property
    def label(self) -> str:
        """The address without what is secret."""
        user, host = self.parameters.get("user", ""), ",".join(self._hosts())
        hidden = f":{MASK}" if "password" in self.parameters else ""
        at = "@" if user or hidden else ""
        database = f"/{self.parameters['dbname']}" if "dbname" in self.parameters else ""
        return f"{_POSTGRESQL}{user}{hidden}{at}{host}{database}"

    def _hosts(self) -> Iterable[str]:
        hosts = self.parameters.get("host", self.parameters.get("hostaddr", "")).split(",")
        ports = self.parameters.get("port", "").split(",")
        if len(ports) != len(hosts):  # one port is that of all hosts
            ports = ports[:1] * len(hosts)
        for host, port in zip(hosts, ports, strict=True):
            if not host.startswith("/"):  # else it is the directory of a socket
                yield f"{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"


def parse_url(url: str) -> FileAddress | ServerAddress:
    """Return what a URL stands for. Raises UrlError, or DriverMissingError."""
    if url.startswith(_SQLITE):
        return _parse_sqlite(url.removeprefix(_SQLITE))
    if url.startswith(_POSTGRESQL) and url != _POSTGRESQL:
        return _parse_postgresql(url)
    raise UrlError(URL_RULE)


def sqlite_url(path: Path) -> str:
    """Return the URL of a file; its path may contain any character."""
    return _SQLITE + "".join(_ESCAPES.get(character, character) for character in str(path))


def _parse_sqlite(path: str) -> FileAddress:
    if not path or path == ":memory:" or "\0" in path:
        raise UrlError(URL_RULE)
    if "?" in path:
        raise UrlError(f"{URL_RULE}; an SQLite URL takes no parameters: write a ? in the path as %3F")
    return FileAddress(Path(_ESCAPE.sub(lambda found: chr(int(found[1], 16)), path)))


def _parse_postgresql(url: str) -> ServerAddress:
    try:
        from psycopg import ProgrammingError, pq
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        raise DriverMissingError("PostgreSQL needs a driver: install finetune-watcher[postgresql]") from None
    given = _query(url)
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    if unknown := sorted(name for name in given if name not in known and _PARAMETER.fullmatch(name)):
        raise UrlError(f"{URL_RULE}; PostgreSQL knows no parameter {', '.join(unknown)}")
    try:
        parameters = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except ProgrammingError:
        raise UrlError(f"{URL_RULE}; write a % in the user name or the password as %25") from None
    _check_hosts(parameters)
    if given["host"] > 1:
        raise UrlError("name several hosts in one parameter: host=one,two&port=5432,5432")
    _check_values(parameters)
    return ServerAddress(parameters)


def _query(url: str) -> Counter[str]:
    """Count the names of the parameters, unless they may be a part of the password."""
    query = url.partition("?")[2]
    return Counter() if "@" in query else Counter(name for name, _ in parse_qsl(query, keep_blank_values=True))


def _check_hosts(parameters: Mapping[str, str]) -> None:
    if "@" in f"{parameters.get('host')}{parameters.get('dbname')}":
        # What follows the first @ of a password has been taken for these, and would be shown.
        raise UrlError("write an @ in the user name or the password as %40, a / as %2F")
    ports = parameters.get("port", "").split(",")
    if any(ports) and not all(ports):
        # libpq takes the port of `one,two:5432` for that of the last host; others take it for that of both.
        raise UrlError("give each host its own port: postgresql://user@one:5432,two:5432/database")
    if not all(port.isdecimal() and 0 < int(port) <= _HIGHEST_PORT for port in filter(None, ports)):
        raise UrlError(f"{URL_RULE}; a port is a number from 1 to {_HIGHEST_PORT}")


def _check_values(parameters: Mapping[str, str]) -> None:
    for name, choices in _CHOICES.items():
        if parameters.get(name, min(choices)) not in choices:
            raise UrlError(f"the parameter {name} must be one of: {', '.join(sorted(choices))}")
    for name in _NUMBERS:
        if not parameters.get(name, "0").isdecimal():
            raise UrlError(f"the parameter {name} must be a whole number")
