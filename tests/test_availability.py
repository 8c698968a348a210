"""A test that needs what is missing is skipped with the command that installs it, and fails where all must run."""

from __future__ import annotations

import pytest

from tests.availability import CI, GROUPS, REQUIRED, MissingGroups, unavailable


@pytest.fixture(autouse=True)
def nothing_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CI, raising=False)
    monkeypatch.delenv(REQUIRED, raising=False)


@pytest.mark.parametrize(("module", "group"), GROUPS.items())
def test_a_module_of_a_missing_group_skips_and_names_the_group(module: str, group: str) -> None:
    with pytest.raises(pytest.skip.Exception, match=f"{module} is not installed: uv run --group {group} pytest"):
        MissingGroups().find_spec(module, None)


def test_any_other_missing_module_is_an_import_error() -> None:
    assert MissingGroups().find_spec("no_such_module", None) is None


@pytest.mark.parametrize("variable", [CI, REQUIRED])
def test_a_missing_group_fails_where_all_tests_must_run(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "true")
    with pytest.raises(pytest.fail.Exception, match=f"uv run --group system pytest .{variable} is set"):
        MissingGroups().find_spec("schemathesis", None)


def test_a_missing_program_fails_only_where_system_tests_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CI, "true")
    with pytest.raises(pytest.skip.Exception, match="no such program"):
        unavailable("no such program")
    monkeypatch.setenv(REQUIRED, "1")
    with pytest.raises(pytest.fail.Exception, match="no such program"):
        unavailable("no such program")
