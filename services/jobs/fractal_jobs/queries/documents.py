"""Lists as Postgres writes them: the rows arrive as JSON text and go on to the client as they are.

What a list shows was valid when it was written; to take hundreds of rows apart, check them and put them together again
costs several times what it costs to read them.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import JSON, TEXT, ColumnElement, DateTime, Select, Subquery, column, func, select
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.compiler import Compiled


async def read(connection: AsyncConnection, statement: Select[str], parameters: Mapping[str, Any]) -> Sequence[str]:
    """What `documents` selects: JSON texts.

    `statement` is kept: it is to be one that is made once. `parameters` are plain values (numbers, texts, times).
    """
    compiled = _compiled(statement, connection.dialect)
    rows = await connection.exec_driver_sql(str(compiled), compiled.construct_params(dict(parameters)))
    return rows.scalars().all()


@cache
def _compiled(statement: Select[str], dialect: Dialect) -> Compiled:
    return statement.compile(dialect=dialect)


def documents(rows: "Select[*tuple[Any, ...]]") -> Select[str]:
    """A JSON object a row, in the order of `rows`; times are written as `datetime.isoformat` does, in UTC."""
    return select(_object().cast(TEXT)).select_from(_shown(rows))


def one(rows: "Select[*tuple[Any, ...]]") -> ColumnElement[Any]:
    """The only row of `rows`, as an object of an enclosing statement's row, to whose tables it is correlated."""
    return select(_object()).select_from(_shown(rows)).scalar_subquery()


def many(rows: "Select[*tuple[Any, ...]]") -> ColumnElement[Any]:
    """As `one`, for an array of all rows in their order."""
    found = func.json_agg(_object(), type_=JSON)
    return select(func.coalesce(found, func.json_build_array(type_=JSON))).select_from(_shown(rows)).scalar_subquery()


def _object() -> ColumnElement[Any]:
    return func.row_to_json(column("document"), type_=JSON)


def _shown(rows: "Select[*tuple[Any, ...]]") -> Subquery:
    columns = [
        _isoformat(each).label(each.key) if isinstance(each.type, DateTime) else each for each in rows.selected_columns
    ]
    return rows.with_only_columns(*columns, maintain_column_froms=True).subquery("document")


def _isoformat(each: ColumnElement[Any]) -> ColumnElement[str]:
    """Which leaves out microseconds when there are none."""
    text = func.to_char(func.timezone("UTC", each), 'YYYY-MM-DD"T"HH24:MI:SS.US')
    return func.replace(text, ".000000", "").concat("+00:00")
