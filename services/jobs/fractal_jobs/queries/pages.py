"""One page of any statement, and how many rows it has in all."""

from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVarTuple, cast

from fractal_common.http.pagination import PaginationRequest
from sqlalchemy import ColumnElement, Row, Select, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.base import ExecutableOption

Columns = TypeVarTuple("Columns")
AnyRow: TypeAlias = Row[*tuple[Any, ...]]


async def page(
    session: AsyncSession, statement: Select[*Columns], pages: PaginationRequest, *options: ExecutableOption
) -> tuple[int, Sequence[AnyRow]]:
    """Total count, and the rows of the page asked for; `options` say what is loaded of them."""
    one: ColumnElement[int] = literal_column("1")
    bare = statement.with_only_columns(one, maintain_column_froms=True).order_by(None)
    total = await session.scalar(select(func.count()).select_from(bare.subquery()))
    rows = await session.execute(statement.options(*options).offset(pages.offset).limit(pages.page_size))
    return total or 0, cast("Sequence[AnyRow]", rows.all())


def contains(column: Any, part: str) -> Any:
    """Condition: `part` occurs in the text, in any case; `_` and `%` are wildcards, as in the reference."""
    return func.lower(column).like(f"%{part.lower()}%")
