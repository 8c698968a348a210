"""Make an installed environment smaller, without a change in what it does: `python3 slim.py /opt/watcher`.

Runs while the image is built. It uses the standard library only, as the base may bring no tool such as `strip`.
"""

# ruff: noqa: INP001 - a script, not part of a package

import shutil
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

TESTS = ("*/testing", "*/tests")
"""What libraries are tested with."""
NEVER_IMPORTED = ("pydantic/v1", "sqlalchemy/orm")
"""They stay, for plugins that want them, but not compiled. The watcher uses SQLAlchemy's Core and Pydantic 2."""
LEXERS = "pygments/lexers"
KEPT_LEXERS = {"__init__.py", "_mapping.py", "python.py"}
"""Tracebacks are Python. The lexers of all other languages are the larger part of Pygments."""
ELF_64_LITTLE = b"\x7fELF\x02\x01"
PROGRAM_HEADERS = struct.Struct("<32xQ14xHH")
"""In the ELF header: where the table of segments starts, the size of an entry, and their number."""
SEGMENT = struct.Struct("<8xQ16xQ")
"""In an entry of that table: where the segment starts in the file, and its size there."""
SECTION_TABLE_PLACES = (slice(40, 48), slice(58, 64))
"""In the ELF header: where the table of sections starts; the size and number of its entries, and who names them."""


def main(environment: Path) -> None:
    """Drop what is never loaded from the packages of the environment."""
    (packages,) = environment.glob("lib/python3.*/site-packages")
    for pattern in TESTS:
        for directory in list(packages.glob(pattern)):
            shutil.rmtree(directory)
    for name in NEVER_IMPORTED:
        for compiled in list((packages / name).rglob("*.pyc")):
            compiled.unlink()
    for path in list(_foreign_lexers(packages / LEXERS)):
        path.unlink()
    for path in packages.rglob("*.so*"):
        path.write_bytes(loaded_part(path.read_bytes()))


def loaded_part(library: bytes) -> bytes:
    """Return a shared library without what follows its last segment: debugging symbols, which nothing loads.

    Anything but a library for 64-bit little-endian machines is returned as it is.
    """
    if not library.startswith(ELF_64_LITTLE):
        return library
    start, size, number = PROGRAM_HEADERS.unpack_from(library)
    segments = [SEGMENT.unpack_from(library, start + size * index) for index in range(number)]
    kept = bytearray(library[: max(offset + length for offset, length in segments)])
    for place in SECTION_TABLE_PLACES:
        kept[place] = bytes(place.stop - place.start)
    return bytes(kept)


def _foreign_lexers(directory: Path) -> Iterator[Path]:
    for path in directory.rglob("*.py*"):
        source = path.name.split(".")[0] + ".py"
        if source not in KEPT_LEXERS:
            yield path


if __name__ == "__main__":
    main(Path(sys.argv[1]))
