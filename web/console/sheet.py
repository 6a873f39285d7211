"""Lists as CSV files that spreadsheets open as they are, and that run nothing when opened."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from fastapi.responses import Response, StreamingResponse

from web.console.pages import Screen

#: A cell that begins so would be a formula in a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_PIECE = 32_000


def sheet(screen: Screen, name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """`name`.csv with a heading in the reader's language; UTF-8 with byte order mark, so that Excel reads Chinese.

    Sent while it is written, so `rows` may be many.
    """
    head = [screen.speech.say(column) for column in columns]
    answer = StreamingResponse(_written(head, rows), media_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return screen.dressed(answer)


def _written(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.writer(text)
    text.write("\ufeff")
    writer.writerow(head)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
        if text.tell() > _PIECE:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if value is None or isinstance(value, int | float):
        return "" if value is None else value
    said = str(value)
    return f"'{said}" if said.lstrip(" ").startswith(_FORMULA) else said
