"""Long work in parts: what stands between them gets its turn, and no statement grows beyond its bounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def slices(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Divide items into parts of at most `size`, in their order."""
    return (items[start : start + size] for start in range(0, len(items), size))
