"""The key or token that a source is asked with: fixed, in a file that may change, or what a command prints."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Protocol

from watcher.domain.addresses import is_header_text
from watcher.domain.text import excerpt
from watcher.errors import TransientError
from watcher.plugins.secret_file import SECRET_FILE_LIMIT, read_secret

COMMAND_SECONDS = 30.0
"""How long a command may take to print a token."""
PAUSE_SECONDS = 30.0
"""How long a command is not run again after it has replaced a token that was refused, or has printed none."""
_EXCERPT = 200
"""Characters of what a failed command complained of."""


class Credential(Protocol):
    """A key or token that can be renewed."""

    async def current(self) -> str | None:
        """Return it; None where the service wants none. Raises TransientError when it cannot be had now."""
        ...

    async def renew(self, refused: str) -> bool:
        """Get another one in the place of one that the service refused; return whether there is one to try.

        Never raises for what a file or a command does.
        """
        ...


class FixedCredential:
    """One that never changes, or none."""

    def __init__(self, secret: str | None = None) -> None:
        self._secret = secret

    async def current(self) -> str | None:
        """Return it."""
        return self._secret

    async def renew(self, refused: str) -> bool:  # noqa: ARG002 - the port's
        """Tell that there is no other one."""
        return False


class FileCredential:
    """What a file holds, which is read again when it has changed: a rotated secret needs no restart."""

    def __init__(self, path: Path, secret: str | None = None) -> None:
        """`secret` is what it held when the settings were read."""
        self._path = path
        self._secret = secret
        self._read_at: tuple[int, ...] = ()
        """What marked the file when it was read last."""

    async def current(self) -> str | None:
        """Return it; while the file cannot be read, what it held last. Raises TransientError if it never could."""
        try:
            mark = self._mark()
            if mark != self._read_at:
                self._secret = _usable(read_secret(self._path, str(self._path)), str(self._path))
                self._read_at = mark
        except ValueError as error:
            if self._secret is None:
                raise TransientError(str(error), retryable=False) from None
        return self._secret

    async def renew(self, refused: str) -> bool:
        """Read the file again even if its marks are the same; return whether the key has changed."""
        self._read_at = ()
        return await self.current() != refused

    def _mark(self) -> tuple[int, ...]:
        try:
            found = self._path.stat()
        except OSError as error:
            raise ValueError(f"cannot read {self._path}: {error.strerror}") from None
        return found.st_mtime_ns, found.st_ino, found.st_size


class CommandCredential:
    """What a command prints, such as `gcloud auth print-access-token`. It is run when a token is needed."""

    def __init__(
        self, command: Sequence[str], *, seconds: float = COMMAND_SECONDS, clock: Callable[[], float] = monotonic
    ) -> None:
        """The command is a program and its arguments; no shell stands between."""
        self._command = command
        self._seconds = seconds
        self._clock = clock
        self._token: str | None = None
        self._error = ""
        self._not_before = 0.0
        self._running = asyncio.Lock()

    async def current(self) -> str | None:
        """Return the token printed last. Raises TransientError when the command prints none."""
        if self._token is None:
            await self._run(None)
        if self._token is None:
            raise TransientError(f"no token to ask with: {self._error}", retryable=False)
        return self._token

    async def renew(self, refused: str) -> bool:
        """Run the command once more, unless another task did already; return whether the token has changed."""
        await self._run(refused)
        return self._token not in {None, refused}

    async def _run(self, refused: str | None) -> None:
        """Run the command, unless it has replaced the token meanwhile, or has just failed to."""
        async with self._running:
            if self._token != refused or self._clock() < self._not_before:
                return
            try:
                token: str | None = _usable(await self._printed(), "token_command")
            except ValueError as error:
                self._error = str(error)
                token = self._token
            if refused is not None or token is None:
                self._not_before = self._clock() + PAUSE_SECONDS
            self._token = token

    async def _printed(self) -> str:
        """Return what the command prints. Raises ValueError that says why it printed nothing of use."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,  # so that what it starts ends with it
            )
        except OSError as error:
            raise ValueError(f"token_command cannot be run: {self._command[0]}: {error.strerror}") from None
        try:
            async with asyncio.timeout(self._seconds):
                return await _output_of(process)
        except TimeoutError:
            raise ValueError(f"token_command printed no token within {self._seconds:g} s") from None
        finally:
            if process.returncode is None:
                await _end(process)


async def _output_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None  # noqa: S101 - both are pipes
    assert process.stderr is not None  # noqa: S101
    printed, complaint = await asyncio.gather(_read(process.stdout), _read(process.stderr))
    code = await process.wait()
    if code != 0:
        # The end of its error output. All that it printed may be a secret, also where it repeats it.
        words = complaint.strip().rpartition("\n")[2]
        told = "" if printed.strip() and printed.strip() in words else f": {excerpt(words, _EXCERPT)}"
        raise ValueError(f"token_command ended with exit code {code}{told if words else ''}")
    return printed


async def _read(stream: asyncio.StreamReader) -> str:
    """Read to the end, or as much as a secret may have."""
    data = bytearray()
    while len(data) <= SECRET_FILE_LIMIT and (piece := await stream.read(SECRET_FILE_LIMIT)):
        data += piece
    if len(data) > SECRET_FILE_LIMIT:
        raise ValueError("token_command printed too much to be a token")
    return data.decode("utf-8", "replace")


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the command and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _usable(printed: str, where: str) -> str:
    token = printed.strip()
    if not token or not is_header_text(token):
        raise ValueError(f"{where} gave no token: expected one word of printable ASCII")
    return token
