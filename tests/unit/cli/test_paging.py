"""Rows that are many: shown up to a limit, and written as they come."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from watcher.cli.paging import first_of, tell_of_more, write_json_list

ROWS = [{"id": f"ftjob-{number}", "labels": {"team": "nlp"}, "error": None} for number in range(5)]


async def pages(rows: Sequence[dict[str, Any]], size: int) -> AsyncIterator[Sequence[dict[str, Any]]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


@pytest.mark.parametrize("size", [1, 2, 5, 9])
@pytest.mark.parametrize("limit", [1, 4, 5, 6])
async def test_the_first_rows_are_shown_and_the_others_counted(size: int, limit: int) -> None:
    assert await first_of(pages(ROWS, size), limit) == (ROWS[:limit], max(5 - limit, 0))


@pytest.mark.parametrize("count", [0, 1, 5])
async def test_a_list_that_is_written_page_by_page_is_one_document(
    count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    await write_json_list(pages(ROWS[:count], 2))
    assert capsys.readouterr().out == json.dumps(ROWS[:count], indent=2) + "\n"


async def test_each_page_is_written_before_the_next_one_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    written: list[bool] = []

    async def watched() -> AsyncIterator[Sequence[dict[str, Any]]]:
        for row in ROWS:
            yield [row]
            written.append(str(row["id"]) in capsys.readouterr().out)

    await write_json_list(watched())
    assert written == [True] * len(ROWS)


def test_what_was_left_out_is_told_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    tell_of_more(0)
    tell_of_more(12_345)
    assert capsys.readouterr().err == "watcher: and 12,345 more: --limit shows more of them, --json all\n"
