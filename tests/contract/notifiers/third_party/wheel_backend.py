"""Builds the wheel of a package that is one module: what a build backend does, at its smallest."""

from __future__ import annotations

import tomllib
import zipfile
from pathlib import Path

_HERE = Path(__file__).parent


def build_wheel(wheel_directory: str, config_settings: object = None, metadata_directory: str | None = None) -> str:
    """Write the wheel into the directory given, and return its name."""
    del config_settings, metadata_directory
    project = tomllib.loads((_HERE / "pyproject.toml").read_text())["project"]
    module, version = project["name"].replace("-", "_"), project["version"]
    info = f"{module}-{version}.dist-info"
    files = {
        f"{module}.py": (_HERE / f"{module}.py").read_text(),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: wheel_backend\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": _entry_points(project["entry-points"]),
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    wheel = f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory) / wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return wheel


def _entry_points(groups: dict[str, dict[str, str]]) -> str:
    lines: list[str] = []
    for group, entries in groups.items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    return "\n".join(lines) + "\n"
