"""The credentials of a service: a key, or a command that prints a token, and a client certificate."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, WithJsonSchema, field_validator
from pydantic_core import PydanticCustomError

from watcher.plugins.section import SecretOfFile, Section, expected
from watcher.plugins.values import Key
from watcher.sources.credentials import CommandCredential, Credential, FileCredential, FixedCredential


def _split(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    try:
        return shlex.split(given)
    except ValueError:
        raise expected("a command as a shell reads it: a quotation does not end") from None


Command = Annotated[
    tuple[str, ...],
    BeforeValidator(_split),
    Field(min_length=1),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "minLength": 1}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
    ),
]
"""A program and its arguments: a list, or one text that is split as a shell does. No shell runs it."""


class KeySettings(Section):
    """The key of a service, or what prints a token that is used as one."""

    api_key: Key | None = None
    """The key. Better by `api_key_file` or the environment than in the file itself. A key file that changes is read
    again."""
    token_command: Command | None = None
    """In place of a key: a command that prints a token, such as `gcloud auth print-access-token`. It is run when a
    token is needed, and again when the service says that the token has expired; it may take 30 seconds."""

    @field_validator("token_command")
    @classmethod
    def _check_way(cls, command: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        if command and info.data.get("api_key"):
            raise PydanticCustomError("mistake", "give either api_key or token_command, not both")
        return command

    def credential(self) -> Credential | None:
        """Return the key or token, to be renewed as it is; None where neither was given."""
        return credential_of(self.api_key, self.token_command)


def credential_of(secret: SecretStr | None, command: tuple[str, ...] | None = None) -> Credential | None:
    """Return what a command prints, what a file holds, or a secret that never changes; None where none is given."""
    if command:
        return CommandCredential(command)
    if isinstance(secret, SecretOfFile):
        return FileCredential(secret.path, secret.get_secret_value())
    return FixedCredential(secret.get_secret_value()) if secret else None


class CertificateSettings(Section):
    """A client certificate, for services that ask for one."""

    client_cert_file: Path | None = None
    """A client certificate (PEM), for services that ask for one."""
    client_key_file: Path | None = None
    """The key of the client certificate, if it is not in the same file."""

    @field_validator("client_key_file")
    @classmethod
    def _check_certificate(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        if key and info.data.get("client_cert_file", ...) is None:
            raise PydanticCustomError("mistake", "given without client_cert_file")
        return key

    def certificate(self) -> tuple[str | None, str | None]:
        """Return the paths of the certificate and of its key."""
        cert, key = self.client_cert_file, self.client_key_file
        return str(cert) if cert else None, str(key) if key else None
