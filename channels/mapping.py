"""How the columns of a foreign table become a `NewComplaint`. A mapping is a TOML file; the code knows no source."""

from __future__ import annotations

import hashlib
import re
import tomllib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

import config
from complaints.domain.errors import FieldProblem, InvalidInput
from complaints.domain.intake import NewComplainant, NewComplaint
from complaints.domain.validation import TAG, problems_of

FOLDER = Path(config.__file__).parent / "mappings"
_NAME = re.compile(r"[A-Za-z0-9_\-]+")
_FIELDS = frozenset(NewComplaint.model_fields) - {"extra", "complainant"} | {
    f"complainant.{name}" for name in NewComplainant.model_fields if name != "needs"
}
Source = Annotated[str, Field(pattern=TAG)]


class FieldMapping(BaseModel):
    """Where one field comes from: the first of `columns` that the row fills, then whatever of `append` is filled.

    Whatever else of `columns` is filled is checked as well: a wrong cell is no less wrong for being second.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: tuple[str, ...] = Field(
        min_length=1, description="Names of the column; the first that is filled is taken."
    )
    append: tuple[str, ...] = Field(default=(), description="Further columns, added after `: ` where they are filled.")
    required: bool = Field(
        default=False, description="A table without this column is not taken, nor is a row without it."
    )
    values: dict[str, str] = Field(default_factory=dict, description="What the source says → our code.")
    default: str = Field(default="", description="Taken where the cell is empty.")


class MappingFile(BaseModel):
    """One mapping as it is written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Source = Field(description="Name of the system; with the id it makes a row known again.")
    zone: str = Field(default="", description="Time zone of dates without one (IANA); empty: the installation's.")
    dates: tuple[str, ...] = Field(default=(), description="Formats of dates beside ISO 8601, tried in order.")
    constants: dict[str, str] = Field(default_factory=dict, description="Fields with one value for all rows.")
    fields: dict[str, FieldMapping] = Field(description="Our field → where it comes from.")
    extra: Literal["*"] | tuple[str, ...] = Field(default=(), description="Columns kept as they are; `*`: all others.")

    @field_validator("fields", "constants")
    @classmethod
    def _known(cls, value: dict[str, Any]) -> dict[str, Any]:
        if strange := sorted(set(value) - _FIELDS):
            raise ValueError(f"unknown: {', '.join(strange)}; there are: {', '.join(sorted(_FIELDS))}")
        return value

    @field_validator("zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            return value and str(ZoneInfo(value))
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"no such time zone {value!r}; use an IANA name such as Asia/Shanghai") from None


class BadCell(Exception):
    """A row that cannot be taken: which column (empty: the whole row), and what is wrong."""

    def __init__(self, column: str, message: str) -> None:
        self.column, self.message = column, message
        super().__init__(f"{column}: {message}")


def known_mappings() -> list[str]:
    """Names of the mappings that come with the product."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> MappingFile:
    """The mapping with this name, or in the file at this path; `InvalidInput` says what is wrong with it."""
    path = FOLDER / f"{name}.toml" if _NAME.fullmatch(name) else Path(name)
    if not path.is_file():
        known = ", ".join(known_mappings())
        raise InvalidInput(
            f"There is no mapping {name!r}. Known are: {known}; or give the path of a .toml file.", "map"
        )
    try:
        return MappingFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path.name} is not TOML: {error}", "map") from None
    except ValidationError as error:
        raise InvalidInput(problems_of(error, prefix=f"{path.name}: ")) from None


def _key(name: str) -> str:
    """Column names are compared without case, width, and the difference of blank, dash and underscore."""
    return re.sub(r"[\s_\-]+", " ", unicodedata.normalize("NFKC", name)).strip().casefold()


@dataclass(frozen=True)
class _Taker:
    """One field bound to the columns of one table."""

    field: str
    columns: tuple[int, ...]
    append: tuple[int, ...]
    values: Mapping[str, str]
    default: str
    required: bool

    def filled(self, cells: Sequence[str]) -> list[int]:
        """The columns that this row fills; the first of all where it fills none."""
        return [index for index in self.columns if cells[index].strip()] or list(self.columns[:1])


class Binding:
    """A mapping laid on one header: turns a row of that table into a `NewComplaint`."""

    def __init__(self, mapping: MappingFile, header: Sequence[str], now: datetime, zone: str) -> None:
        """`InvalidInput` when a required column is missing or a name stands twice. `zone` is for dates without one."""
        self.header, self._now = list(header), now
        self._source, self._constants = mapping.source, dict(mapping.constants)
        self._zone, self._formats = ZoneInfo(mapping.zone or zone), mapping.dates
        places = {_key(name): index for index, name in enumerate(header)}
        self._takers = [t for name, rule in mapping.fields.items() if (t := _bind(name, rule, places))]
        self._by_field = {taker.field: taker for taker in self._takers}
        used = {index for taker in self._takers for index in (*taker.columns[:1], *taker.append)}
        kept = {_key(name) for name in mapping.extra} if mapping.extra != "*" else places.keys()
        self._extra = [(i, n) for i, n in enumerate(header) if i not in used and n.strip() and _key(n) in kept]
        self._check(mapping)

    def _check(self, mapping: MappingFile) -> None:
        problems = [
            FieldProblem(
                " / ".join(rule.columns), f"this column is missing. Found: {', '.join(filter(None, self.header))}"
            )
            for name, rule in mapping.fields.items()
            if rule.required and name not in self._by_field
        ]
        filled = [_key(n) for n in self.header if n.strip()]
        problems += [
            FieldProblem(name, "two columns have this name; rename one of them")
            for name in sorted({n for n in filled if filled.count(n) > 1})
        ]
        if problems:
            raise InvalidInput(problems)

    def take(self, cells: Sequence[str]) -> NewComplaint:
        """The complaint in one row; `BadCell` when it cannot be taken."""
        places = {taker.field: taker.filled(cells) for taker in self._takers}
        first = {field: found[0] for field, found in places.items() if found}
        for field, found in places.items():
            for other in found[1:]:
                self._made(cells, first | {field: other})
        return self._made(cells, first)

    def _made(self, cells: Sequence[str], places: Mapping[str, int]) -> NewComplaint:
        """The complaint when each field is read from the column that `places` says."""
        flat: dict[str, Any] = dict(self._constants)
        for taker in self._takers:
            if text := self._text(taker, cells, places):
                flat[taker.field] = text
        if "received_at" in flat:
            flat["received_at"] = self._instant(flat["received_at"], self._column("received_at", places))
        flat["external_source"] = flat.get("external_source") or self._source
        flat["external_id"] = flat.get("external_id") or _fingerprint(self.header, cells)
        who = {name[12:]: flat.pop(name) for name in list(flat) if name.startswith("complainant.")}
        flat["extra"] = {name: text for index, name in self._extra if (text := cells[index].strip())}
        if who:
            flat["complainant"] = who
        try:
            return NewComplaint.model_validate(flat)
        except ValidationError as error:
            problem = problems_of(error)[0]
            raise BadCell(self._column(problem.field, places), problem.message) from None

    def _text(self, taker: _Taker, cells: Sequence[str], places: Mapping[str, int]) -> str:
        place = places.get(taker.field)
        text = "" if place is None else cells[place].strip()
        for index in taker.append:
            if part := cells[index].strip():
                text = f"{text}: {part}" if text else part
        if not text:
            if taker.required:
                raise BadCell(self._column(taker.field, places), "this cell is empty")
            return taker.default
        if not taker.values:
            return text
        found = taker.values.get(text.casefold())
        if found is None:
            known = ", ".join(sorted(taker.values))
            raise BadCell(self._column(taker.field, places), f"{text[:40]!r} is not known. Known are: {known}")
        return found

    def _instant(self, text: str, column: str) -> datetime:
        """ISO 8601 or one of the mapping's formats. A date alone is the beginning of that day."""
        for read in (datetime.fromisoformat, *(_reader(form) for form in self._formats)):
            try:
                at = read(text)
                break
            except ValueError:
                continue
        else:
            formats = ", ".join(("ISO 8601", *self._formats))
            raise BadCell(column, f"{text[:40]!r} is not a date. Known are: {formats}")
        at = at if at.tzinfo else at.replace(tzinfo=self._zone)
        if at > self._now:
            raise BadCell(column, f"{text[:40]!r} lies in the future")
        return at

    def _column(self, field: str, places: Mapping[str, int]) -> str:
        """The column to blame for what is wrong with `field`; the field itself where no column gave it."""
        name = field if field in places else field.split(".")[0]
        return self.header[places[name]] if name in places else name


def _reader(form: str) -> Callable[[str], datetime]:
    return lambda text: datetime.strptime(text, form)  # noqa: DTZ007 the zone is added by the caller


def _bind(name: str, rule: FieldMapping, places: Mapping[str, int]) -> _Taker | None:
    columns, append = (
        tuple(dict.fromkeys(places[key] for column in wanted if (key := _key(column)) in places))
        for wanted in (rule.columns, rule.append)
    )
    if not columns:
        return None if not rule.default else _Taker(name, (), (), {}, rule.default, required=False)
    values = {k.casefold(): v for k, v in rule.values.items()}
    return _Taker(name, columns, append, values, rule.default, rule.required)


def _fingerprint(header: Sequence[str], cells: Sequence[str]) -> str:
    """An id for a row that has none, from what it says: the same row is known again, another one is not."""
    pairs = "\x1f".join(f"{name}\x1e{cell.strip()}" for name, cell in zip(header, cells, strict=False))
    return f"sha256:{hashlib.sha256(pairs.encode()).hexdigest()}"
