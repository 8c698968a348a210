"""Where a service is, and the credential for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from watcher.sources.credentials import Credential, FixedCredential


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a service is, and the credential for it."""

    url: str
    """The paths of requests are put behind it."""
    credential: Credential = field(default_factory=FixedCredential)
    key_header: str = "Authorization"
    """The header that holds the key."""
    key_prefix: str = "Bearer "
    """What stands before the key there."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers of every request."""
    secrets: tuple[str, ...] = ()
    """Those of them that are not to be told."""
    query: Mapping[str, str] = field(default_factory=dict)
    """Parameters of every request."""
    client_cert_file: str | None = None
    client_key_file: str | None = None
