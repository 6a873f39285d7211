"""Making and writing many rows quickly. SQLModel's constructor takes some ten times as long as what it stores is worth,
and so do the statements of a flush, one for each row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import cache
from typing import Any, TypeVar, cast

from psycopg import Cursor, sql
from pydantic_core import PydanticUndefined
from sqlalchemy import Connection, Table
from sqlalchemy.orm.attributes import manager_of_class
from sqlmodel import Session, SQLModel

Row = TypeVar("Row", bound=SQLModel)


def pending(table: type[Row], **values: Any) -> Row:
    """A new row as `table(**values)` makes it; nothing is checked, as in that constructor of a table."""
    manager = manager_of_class(table)
    assert manager is not None, f"{table} is no table"
    row: Row = manager.new_instance()
    plain, made = _defaults(table)
    row.__dict__.update(plain)
    row.__dict__.update({name: make() for name, make in made.items() if name not in values})
    row.__dict__.update(values)
    return row


@cache
def _defaults(table: type[SQLModel]) -> tuple[dict[str, Any], dict[str, Callable[[], Any]]]:
    fields = table.model_fields.items()
    return (
        {name: f.default for name, f in fields if f.default is not PydanticUndefined and f.default_factory is None},
        {name: f.default_factory for name, f in fields if f.default_factory is not None},  # type: ignore[misc]  # of ours, none takes data
    )


def copy_new(session: Session) -> None:
    """Write all rows that wait in `session` by COPY, a table after those it refers to; the session forgets them."""
    waiting: dict[str, list[SQLModel]] = defaultdict(list)
    for row in [*session.new]:
        waiting[str(row.__tablename__)].append(row)
        session.expunge(row)
    for table in SQLModel.metadata.sorted_tables:
        if rows := waiting.get(table.name):
            _copy(session.connection(), table, rows)


def _copy(connection: Connection, table: Table, rows: Iterable[SQLModel]) -> None:
    """Columns that the database numbers itself are left to it; the others are written as a flush would."""
    dialect = connection.dialect
    columns = [c for c in table.columns if c is not table.autoincrement_column]
    binds = [(c.key, c.type.dialect_impl(dialect).bind_processor(dialect) or _as_it_is) for c in columns]
    names = sql.SQL(", ").join(sql.Identifier(c.name) for c in columns)
    into = sql.SQL("copy {} ({}) from stdin").format(sql.Identifier(table.name), names)
    with closing(connection.connection.cursor()) as cursor, cast(Cursor[Any], cursor).copy(into) as copy:
        for row in rows:
            copy.write_row([bind(row.__dict__.get(key)) for key, bind in binds])


def _as_it_is(value: Any) -> Any:
    return value
