"""Lists as CSV files that spreadsheets open as they are, in the reader's words, and that run nothing when opened."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any, TypeVar

from fastapi.responses import Response, StreamingResponse

from complaints.domain.validation import narrow
from web.console.labels import yes_or_no
from web.console.pages import Screen
from web.language import Speech

#: A cell that begins so would be a formula in a spreadsheet; in full width, too, where one is set up for Chinese.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_PIECE = 32_000
Row = TypeVar("Row")


def sheet(screen: Screen, name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """`name`.csv with a heading in the reader's language; UTF-8 with byte order mark, so that Excel reads Chinese.

    Moments stand in the time zone of the office, lists with `; ` between, yes and no in words. Sent while it is
    written, so `rows` may be many.
    """
    head = [screen.speech.say(column) for column in columns]
    answer = StreamingResponse(_written(screen.speech, head, rows), media_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return screen.dressed(answer)


def paged(page: Callable[[Any], tuple[Iterable[Row], Any]], first: Any = None) -> Iterator[Row]:
    """All of a list that is read in pages, one at a time in memory: `page` takes a key, `first` at the beginning, and
    gives what is on it and the key of the next page, None at the end."""
    key = first
    while True:
        rows, key = page(key)
        yield from rows
        if key is None:
            return


def _written(speech: Speech, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.writer(text)
    text.write("\ufeff")
    writer.writerow(head)
    for row in rows:
        writer.writerow([_cell(speech, value) for value in row])
        if text.tell() > _PIECE:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def _cell(speech: Speech, value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bool):
        return yes_or_no(speech, value)
    if isinstance(value, int | float):
        return value
    if isinstance(value, datetime):
        return value.astimezone(speech.zone).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, date):
        return value.isoformat()
    said = "; ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return f"'{said}" if narrow(said.lstrip(" \u3000")[:1]) in _FORMULA else said
