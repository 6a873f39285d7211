"""Reading tables of complaints row by row, in constant memory, whatever is in them.

CSV is split into records here, not by `csv` alone: with one quotation mark too many, `csv` swallows all that follows.
Here a record that never ends well costs its first line only, and reading goes on with the next one.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from channels.mapping import BadCell, Binding, MappingFile
from complaints.domain.errors import InvalidInput
from complaints.domain.intake import NARRATIVE_LIMIT, NewComplaint

#: Characters that one record may have. Beyond, a quotation mark was not closed, or the file is no table.
RECORD_LIMIT = 16_000_000
_CHUNK = 1 << 20
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
#: How files begin that people take for tables, and that no program reads as text.
_NO_TEXT = (
    (b"PK\x03\x04", "a workbook of Excel or a zip archive"),
    (b"\xd0\xcf\x11\xe0", "an old workbook of Excel"),
    (b"\x1f\x8b", "compressed (gzip)"),
    (b"%PDF", "a PDF"),
)
#: What a line without any cell consists of.
_BLANK = "\r\n\t ,;|"
#: A first line that only names the delimiter.
_TOLD = re.compile(r'"?sep=([,;|\t])"?', re.IGNORECASE)
_MARK = "complaints.mark"
csv.field_size_limit(RECORD_LIMIT)


def _marked(error: UnicodeError) -> tuple[str, int]:
    """Bytes that are no text become a lone surrogate, which `_check` finds: they cost their row, not the file.

    Python's own `surrogateescape` would do, but it does not know UTF-16 and UTF-32.
    """
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", error.end


codecs.register_error(_MARK, _marked)


@dataclass(frozen=True)
class Row:
    """A row that can be taken. `line` counts physical lines from 1, at the beginning of the row."""

    line: int
    new: NewComplaint


@dataclass(frozen=True)
class BadRow:
    """A row that cannot: `column` is empty when it is about the whole row."""

    line: int
    column: str
    message: str


class Reader:
    """Iterates over the rows of one file. `with` opens it and checks its header before anything is taken.

    `InvalidInput` when the file is empty, its encoding cannot be told, or its columns do not fit the mapping.
    """

    def __init__(
        self,
        path: Path,
        mapping: MappingFile,
        *,
        now: datetime,
        zone: str = "UTC",
        encoding: str | None = None,
    ) -> None:
        self._mapping, self._now, self._zone = mapping, now, zone
        if not path.exists():
            raise InvalidInput("there is no such file", str(path))
        if not path.is_file():
            raise InvalidInput("is no ordinary file; save what it says as one (a pipe cannot be read twice)", str(path))
        self.size = path.stat().st_size
        self._raw: BinaryIO = path.open("rb")
        try:
            _refuse_no_text(self._raw, path)
            self.encoding = _checked(encoding) if encoding else _detected(self._raw)
            self._raw.seek(0)
            self._text = io.TextIOWrapper(self._raw, self.encoding, errors=_MARK, newline="")
            self._lines = _Lines(self._text)
            json_lines = path.suffix.lower() in (".jsonl", ".ndjson")
            self._rows = self._from_jsonl() if json_lines else self._from_csv()
            self._first = next(self._rows, None)
        except BaseException:
            self.close()
            raise

    @property
    def position(self) -> int:
        """Bytes read so far; at the end it is `size`."""
        return self._raw.tell()

    def close(self) -> None:
        """Close the file."""
        self._raw.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Row | BadRow]:
        if self._first is not None:
            first, self._first = self._first, None
            yield first
        yield from self._rows

    def _bind(self, header: Sequence[str]) -> Binding:
        return Binding(self._mapping, header, self._now, self._zone)

    def _from_csv(self) -> Iterator[Row | BadRow]:
        line, head = self._first_line()
        if told := _TOLD.fullmatch(head.strip()):  # as spreadsheets write it, before the names of the columns
            line, head = self._first_line()
        delimiter = told[1] if told else max(",;\t|", key=head.count)
        self._lines.push([(line, head)])
        first = next(_records(self._lines, delimiter))
        if isinstance(first, BadRow):
            raise InvalidInput(f"The first line must name the columns, but: {first.message}.", "file")
        binding = self._bind(first[1])
        for record in _records(self._lines, delimiter):
            yield record if isinstance(record, BadRow) else _row(binding, *record)

    def _first_line(self) -> tuple[int, str]:
        line, head = self._lines.next()
        while line and not head.strip(_BLANK):
            line, head = self._lines.next()
        if not line:
            raise InvalidInput("The file is empty. Its first line must name the columns.", "file")
        return line, head

    def _from_jsonl(self) -> Iterator[Row | BadRow]:
        bind = lru_cache(maxsize=64)(self._bind)
        some = False
        while True:
            line, text = self._lines.next()
            if not line:
                break
            if not text.strip():
                continue
            if len(text) > RECORD_LIMIT:
                yield BadRow(line, "", f"longer than {RECORD_LIMIT:,} characters")
                continue
            try:
                flat = _flat(json.loads(text))
            except (ValueError, RecursionError) as error:
                yield BadRow(line, "", f"not a JSON object: {error}")
                continue
            try:
                binding = bind(tuple(flat))
            except InvalidInput as error:
                if not some:
                    raise
                yield BadRow(line, "", str(error))
                continue
            some = True
            yield _row(binding, line, list(flat.values()))
        if not some:
            raise InvalidInput("The file holds no JSON object. Each line must be one complaint.", "file")


def _row(binding: Binding, line: int, cells: list[str]) -> Row | BadRow:
    width = len(binding.header)
    if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
        del cells[width:]  # spreadsheets add empty cells
    if len(cells) != width:
        return BadRow(line, "", f"{len(cells)} columns instead of {width}")
    try:
        _check(binding.header, cells)
        return Row(line, binding.take(cells))
    except BadCell as error:
        return BadRow(line, error.column, error.message)


def _check(header: Sequence[str], cells: Sequence[str]) -> None:
    """What the database would refuse: NUL, bytes that are no text, lone surrogates; and what is absurdly long."""
    whole = "".join(cells)
    if len(whole) <= NARRATIVE_LIMIT and "\0" not in whole and (whole.isascii() or _encodable(whole)):
        return
    for name, cell in zip(header, cells, strict=True):
        if "\0" in cell:
            raise BadCell(name, "contains a NUL character; remove it")
        if not _encodable(cell):
            raise BadCell(name, "contains bytes that are not text in the file's encoding; save the file as UTF-8")
        if len(cell) > NARRATIVE_LIMIT:
            raise BadCell(name, f"{len(cell):,} characters; at most {NARRATIVE_LIMIT:,} are taken. Attach it as a file")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Lines:
    """Physical lines with their numbers, with the possibility to give some back."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text, self._back, self._number = text, deque[tuple[int, str]](), 0

    def next(self) -> tuple[int, str]:
        """The next line, cut soon after `RECORD_LIMIT` characters; number 0 at the end of the file."""
        if self._back:
            return self._back.popleft()
        try:
            line = self._text.readline(RECORD_LIMIT + 1)
        except UnicodeError as error:  # from encodings that leave nothing to `_marked`
            raise InvalidInput(
                f"After line {self._number} the file is not {self._text.encoding}: {error}. Save it as UTF-8.", "file"
            ) from None
        if not line:
            return 0, ""
        self._number += 1
        if len(line) > RECORD_LIMIT:
            while (rest := self._text.readline(_CHUNK)) and not rest.endswith(("\n", "\r")):
                pass
        return self._number, line

    def push(self, lines: Sequence[tuple[int, str]]) -> None:
        """Give `lines` back: they come next, in their order."""
        self._back.extendleft(reversed(lines))


def _records(lines: _Lines, delimiter: str) -> Iterator[tuple[int, list[str]] | BadRow]:
    """Line number and cells of each record. Blank lines are no records."""
    while True:
        number, line = lines.next()
        if not number:
            return
        if not line.strip(_BLANK):
            continue
        if len(line) > RECORD_LIMIT:
            yield BadRow(number, "", f"longer than {RECORD_LIMIT:,} characters")
            continue
        taken = [(number, line)]
        if line.count('"') % 2:
            _complete(lines, taken)
        try:
            yield from _parsed(taken, delimiter)
            continue
        except csv.Error as error:
            message = str(error)
        # The quotation marks are broken. The first line alone may be all right (5" pipe), or is what is broken.
        lines.push(taken[1:])
        try:
            yield from _parsed(taken[:1], delimiter)
        except csv.Error:
            yield BadRow(number, "", f"its quotation marks are broken ({message}); double those inside a cell")


def _complete(lines: _Lines, taken: list[tuple[int, str]]) -> None:
    """Add the lines that a quoted cell goes on over: up to the one with the next odd quotation mark."""
    size = len(taken[0][1])
    while size <= RECORD_LIMIT:
        following = lines.next()
        if not following[0]:
            return
        taken.append(following)
        size += len(following[1])
        if following[1].count('"') % 2:
            return


def _parsed(taken: Sequence[tuple[int, str]], delimiter: str) -> list[tuple[int, list[str]]]:
    """The records in `taken`: mostly one. `csv.Error` when a quotation mark is where none may be, or is left open."""
    reader = csv.reader((line for _, line in taken), delimiter=delimiter, strict=True)
    found: list[tuple[int, list[str]]] = []
    begin = 0
    for cells in reader:
        found.append((taken[begin][0], cells))
        begin = reader.line_num
    return found


def _flat(value: Any) -> dict[str, str]:
    """A JSON object as columns: objects inside become `outer.inner`, whatever else is no text is written as JSON."""
    if not isinstance(value, dict):
        raise ValueError(f"{type(value).__name__} found")
    flat: dict[str, str] = {}
    for name, inner in value.items():
        parts = {f"{name}.{k}": v for k, v in inner.items()} if isinstance(inner, dict) else {name: inner}
        flat |= {k: _cell(v) for k, v in parts.items()}
    return flat


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _refuse_no_text(raw: BinaryIO, path: Path) -> None:
    head = raw.read(4)
    raw.seek(0)
    for begin, what in _NO_TEXT:
        if head.startswith(begin):
            raise InvalidInput(f"is {what}, no text; save the table as CSV (UTF-8)", str(path))


def _checked(encoding: str) -> str:
    try:
        if not codecs.lookup(encoding)._is_text_encoding:
            raise LookupError
    except LookupError:
        raise InvalidInput(f"There is no encoding {encoding!r}. Usual are utf-8 and gb18030.", "encoding") from None
    return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding


def _detected(raw: BinaryIO) -> str:
    """UTF-8 or GB18030 (which contains GBK and GB 2312), by reading the file once; or UTF-16 by its mark.

    A few wrong bytes in a file that is UTF-8 otherwise do not make it another encoding: only those rows are bad.
    """
    head = raw.read(4)
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    raw.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    wrong = wide = 0
    while chunk := raw.read(_CHUNK):
        text = decoder.decode(chunk)
        if not text.isascii():
            wrong += text.count("�")
            wide += len(text) - len(text.encode("ascii", "ignore"))
    return "utf-8" if wrong * 10 <= wide else "gb18030"
