"""Keys and tokens that are renewed: from a file, and by a command."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from watcher.errors import TransientError
from watcher.sources.credentials import PAUSE_SECONDS, CommandCredential, FileCredential, FixedCredential


class Seconds:
    """A monotonic clock that is moved."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def counting(tmp_path: Path) -> Callable[[str], list[str]]:
    """Make a command that prints what is given, with the number of the run in the place of `%s`."""
    runs = tmp_path / "runs"

    def command(printed: str) -> list[str]:
        return ["sh", "-c", f"echo x >> {runs}; printf '{printed}' $(wc -l < {runs})"]

    return command


@pytest.fixture
def runs(tmp_path: Path) -> Callable[[], int]:
    """Count the runs of that command."""
    return lambda: len((tmp_path / "runs").read_text().split()) if (tmp_path / "runs").exists() else 0


async def failure(credential: CommandCredential | FileCredential) -> str:
    with pytest.raises(TransientError) as caught:
        await credential.current()
    assert not caught.value.retryable
    return str(caught.value)


async def test_a_fixed_key_has_no_other_one() -> None:
    assert await FixedCredential("k").current() == "k"
    assert not await FixedCredential("k").renew("k")
    assert await FixedCredential().current() is None


async def test_a_file_is_read_again_when_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("one\n")
    credential = FileCredential(path, "of-the-start")
    assert await credential.current() == "one"
    path.write_text("second")
    assert await credential.current() == "second"


async def test_a_secret_that_is_exchanged_as_kubernetes_does_is_seen(tmp_path: Path) -> None:
    """A link that points to another folder, with a file of the same size and time."""
    for name in ("..1", "..2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "key").write_text(f"key{name}")
        os.utime(tmp_path / name / "key", (1, 1))
    data = tmp_path / "..data"
    data.symlink_to(tmp_path / "..1")
    credential = FileCredential(data / "key")
    assert await credential.current() == "key..1"
    data.unlink()
    data.symlink_to(tmp_path / "..2")
    assert await credential.current() == "key..2"


async def test_a_file_that_cannot_be_read_leaves_what_it_held(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("one")
    credential = FileCredential(path)
    assert await credential.current() == "one"
    for spoil in (path.unlink, lambda: path.write_text(""), lambda: path.write_text("two words")):
        spoil()
        assert await credential.current() == "one"
        assert not await credential.renew("one")
    path.write_text("two")
    assert await credential.current() == "two"


async def test_a_file_that_never_could_be_read_says_why(tmp_path: Path) -> None:
    path = tmp_path / "key"
    assert await failure(FileCredential(path)) == f"cannot read {path}: No such file or directory"
    path.write_text("s3cret with spaces")
    told = await failure(FileCredential(path))
    assert told == f"{path} gave no token: expected one word of printable ASCII"


async def test_a_refused_key_is_renewed_if_the_file_holds_another_one(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("one")
    credential = FileCredential(path, "one")
    assert not await credential.renew("one")
    path.write_text("two")
    assert await credential.renew("one")
    assert await credential.current() == "two"


async def test_a_command_runs_once_for_many_who_ask(
    counting: Callable[[str], list[str]], runs: Callable[[], int]
) -> None:
    credential = CommandCredential(counting("token-%s\n"))
    assert set(await asyncio.gather(*(credential.current() for _ in range(50)))) == {"token-1"}
    assert all(await asyncio.gather(*(credential.renew("token-1") for _ in range(50))))
    assert await credential.current() == "token-2"
    assert runs() == 2


async def test_a_token_refused_right_after_it_was_renewed_is_not_renewed_again_for_a_while(
    counting: Callable[[str], list[str]], runs: Callable[[], int]
) -> None:
    """The login itself has ended: a command for each poll would help nobody."""
    clock = Seconds()
    credential = CommandCredential(counting("token-%s"), clock=clock)
    await credential.current()
    assert await credential.renew("token-1")
    assert not await credential.renew("token-2")
    clock.at += PAUSE_SECONDS
    assert await credential.renew("token-2")
    assert runs() == 3


async def test_a_command_that_prints_the_same_token_again_has_none_to_try() -> None:
    credential = CommandCredential(["printf", "same"])
    assert await credential.current() == "same"
    assert not await credential.renew("same")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["no-such-program"], "token_command cannot be run: no-such-program: No such file or directory"),
        (["false"], "token_command ended with exit code 1"),
        (["sh", "-c", "echo 'please log in' >&2; exit 3"], "token_command ended with exit code 3: please log in"),
        (["sh", "-c", "printf '\\033[2J' >&2; exit 3"], r"token_command ended with exit code 3: \x1b[2J"),
        (["true"], "token_command gave no token: expected one word of printable ASCII"),
        (["echo", "two words"], "token_command gave no token: expected one word of printable ASCII"),
        (["printf", "\\377"], "token_command gave no token: expected one word of printable ASCII"),
        (["sh", "-c", "yes | head -c 100000"], "token_command printed too much to be a token"),
    ],
    ids=["missing", "fails", "says-why", "controls", "nothing", "words", "binary", "flood"],
)
async def test_a_command_without_a_token_says_why(command: list[str], told: str) -> None:
    assert await failure(CommandCredential(command)) == f"no token to ask with: {told}"


async def test_what_a_command_prints_is_in_no_error() -> None:
    """Also where it failed after all, and repeats the token."""
    command = ["sh", "-c", "echo s3cret-token; echo no: s3cret-token >&2; exit 1"]
    assert "s3cret" not in await failure(CommandCredential(command))


async def test_a_command_that_failed_is_not_run_again_at_once(
    counting: Callable[[str], list[str]], runs: Callable[[], int]
) -> None:
    clock = Seconds()
    credential = CommandCredential(counting("not a token %s"), clock=clock)
    assert await failure(credential) == await failure(credential)
    assert runs() == 1
    clock.at += PAUSE_SECONDS
    await failure(credential)
    assert runs() == 2


async def test_a_command_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    command = ["sh", "-c", f"(sleep 30; touch {alive}) & echo $! > {tmp_path}/pid; sleep 30"]
    begin = time.monotonic()
    told = await failure(CommandCredential(command, seconds=0.5))
    assert told == "no token to ask with: token_command printed no token within 0.5 s"
    assert time.monotonic() - begin < 10
    child = int((tmp_path / "pid").read_text())
    async with asyncio.timeout(5):
        while _is_running(child):
            await asyncio.sleep(0.01)


async def test_a_command_hears_nothing_and_is_no_shell() -> None:
    program = "import sys; print(repr(sys.stdin.read()) + sys.argv[1])"
    assert await CommandCredential([sys.executable, "-c", program, "$HOME;id"]).current() == "''$HOME;id"


def _is_running(pid: int) -> bool:
    """Return whether a process is there, and no zombie that has yet to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
