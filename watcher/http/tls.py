"""TLS settings of clients, and the certificates that the environment names."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from watcher.errors import ConfigurationError

CERTIFICATE_FILE = "SSL_CERT_FILE"
CERTIFICATE_DIRECTORY = "SSL_CERT_DIR"


class TlsContext(ssl.SSLContext):
    """The settings of a client that verifies. Trusted certificates are loaded once they are needed.

    The Rust transport reads the trusted certificates itself, and needs the client certificate as text (`identity`).
    """

    identity: bytes | None = None
    """The client certificate with its key, PEM; None without one."""
    _has_roots = False

    def with_roots(self) -> ssl.SSLContext:
        """Return the context with the trusted certificates loaded, which takes some 20 ms the first time."""
        if not self._has_roots:
            self._has_roots = True
            self.load_default_certs()
            if not has_system_roots():
                self.load_verify_locations(cadata=bundled_roots().decode())
        return self


def tls_context(certificate: str | None = None, key: str | None = None) -> TlsContext:
    """Return the TLS settings of a client that verifies, with a client certificate if one is given.

    Raises OSError (ssl.SSLError among it) for certificate files that cannot be used, ConfigurationError for an
    environment that names trusted certificates that are not there.
    """
    check_environment()
    context = TlsContext(ssl.PROTOCOL_TLS_CLIENT)
    # Python 3.13 refuses private authorities that lack extensions which nothing here depends on, rustls does not.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.set_alpn_protocols(["http/1.1"])
    if certificate:
        context.load_cert_chain(certificate, key, password=_no_password)
        context.identity = b"\n".join(Path(name).read_bytes() for name in (certificate, key) if name)
    return context


def check_environment() -> None:
    """Raise ConfigurationError if SSL_CERT_FILE or SSL_CERT_DIR names what cannot be used."""
    if name := os.environ.get(CERTIFICATE_FILE):
        try:
            content = Path(name).read_bytes()
        except OSError as error:
            raise ConfigurationError(f"{CERTIFICATE_FILE}: cannot read {name}: {error.strerror}") from None
        if b"CERTIFICATE-----" not in content:
            raise ConfigurationError(f"{CERTIFICATE_FILE}: {name} holds no certificates in PEM form")
    if (names := os.environ.get(CERTIFICATE_DIRECTORY)) and not any(map(os.path.isdir, names.split(os.pathsep))):
        raise ConfigurationError(f"{CERTIFICATE_DIRECTORY}: {names} is not a directory")


def has_system_roots() -> bool:
    """Whether this machine, or its environment, has certificates to trust."""
    paths = ssl.get_default_verify_paths()
    return bool(paths.cafile) or bool(paths.capath and any(Path(paths.capath).iterdir()))


def bundled_roots() -> bytes:
    """Return the certificates that browsers trust, PEM, for machines and containers that have none of their own."""
    import certifi

    return Path(certifi.where()).read_bytes()


def _no_password() -> str:
    # Else OpenSSL asks at the terminal.
    raise ssl.SSLError(0, "the key is encrypted, which is not supported")
