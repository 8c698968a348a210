"""Where the configuration file is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from watcher.errors import ConfigurationError
from watcher.settings.locations import USUAL_CONFIGS, find_config, places


@pytest.fixture
def usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, ...]:
    """Put the usual places into a directory of the test's own."""
    (tmp_path / "config").mkdir()
    monkeypatch.chdir(tmp_path)
    return (*USUAL_CONFIGS[:2], tmp_path / "etc.toml")


def test_the_usual_places_are_those_that_are_documented() -> None:
    assert list(map(str, USUAL_CONFIGS)) == ["watcher.toml", "config/watcher.toml", "/etc/watcher/watcher.toml"]


def test_the_first_place_that_names_a_file_prevails(usual: tuple[Path, ...], tmp_path: Path) -> None:
    """`--config`, the variable, the working directory, its `config`, the machine."""
    _, here, machine = usual
    chosen, named = tmp_path / "chosen.toml", tmp_path / "named.toml"
    variable = {"WATCHER_CONFIG": str(named)}
    assert find_config(None, {}, usual) is None
    machine.touch()
    assert find_config(None, {}, usual) == machine
    here.touch()
    assert find_config(None, {}, usual) == here
    Path("watcher.toml").touch()
    assert find_config(None, {}, usual) == Path("watcher.toml")
    named.touch()
    assert find_config(None, variable, usual) == named
    chosen.touch()
    assert find_config(chosen, variable, usual) == chosen


def test_an_empty_variable_names_nothing(usual: tuple[Path, ...]) -> None:
    usual[2].touch()
    assert find_config(None, {"WATCHER_CONFIG": ""}, usual) == usual[2]


def test_a_directory_in_a_usual_place_is_no_configuration(usual: tuple[Path, ...]) -> None:
    usual[1].mkdir()
    assert find_config(None, {}, usual) is None


@pytest.mark.parametrize(
    ("chosen", "variable", "by"),
    [("missing", "", "--config"), ("missing", "x", "--config"), (None, "missing", "$WATCHER_CONFIG")],
)
def test_a_named_file_that_is_not_there_is_a_mistake(
    chosen: str | None, variable: str, by: str, usual: tuple[Path, ...]
) -> None:
    """Even if there is one in a usual place: the watcher never takes another file than it was told."""
    usual[1].touch()
    with pytest.raises(ConfigurationError) as caught:
        find_config(Path(chosen) if chosen else None, {"WATCHER_CONFIG": variable})
    assert caught.value.mistakes == (f"missing: no such file (named by {by})",)


def test_a_file_in_the_place_of_a_directory_holds_no_configuration(usual: tuple[Path, ...]) -> None:
    usual[1].parent.rmdir()
    usual[1].parent.touch()
    assert find_config(None, {}, usual) is None


@pytest.mark.parametrize("chosen", [None, Path("loop/watcher.toml")], ids=["not asked for", "asked for"])
def test_a_place_that_cannot_be_looked_at_is_a_mistake(
    chosen: Path | None, usual: tuple[Path, ...], tmp_path: Path
) -> None:
    """A loop of links binds even root, unlike a locked directory."""
    usual[1].parent.rmdir()
    for name in ("config", "loop"):
        (tmp_path / name).symlink_to(name)
    with pytest.raises(ConfigurationError, match=r"watcher\.toml: cannot be read: Too many levels of symbolic links"):
        find_config(chosen, {}, usual)


def test_the_places_are_told_in_order() -> None:
    assert places() == "$WATCHER_CONFIG, ./watcher.toml, ./config/watcher.toml, /etc/watcher/watcher.toml"
