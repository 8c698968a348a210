"""No setting, outcome or error shows a secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from watcher.plugins.section import Section


def check_settings(config: type[Section], settings: Mapping[str, object], secrets: Sequence[str]) -> None:
    """Fail unless the settings are read, and what there is not is refused, without a secret being shown."""
    right = config.model_validate(settings)
    check_hidden(secrets, right, right.model_dump_json())
    try:
        config.model_validate({**settings, "no_such_setting": "".join(secrets)})
    except ValueError as error:
        check_hidden(secrets, error)
    else:
        raise AssertionError("a setting that there is not was taken: derive the settings from watcher.plugins.Section")


def check_hidden(secrets: Sequence[str], *shown: object) -> None:
    """Fail if a secret is in what is shown."""
    text = "\n".join(f"{each} {each!r}" for each in shown)
    told = [number for number, secret in enumerate(secrets) if secret in text]
    assert not told, f"secrets[{told[0]}] is shown in the {type(shown[0]).__name__}"
