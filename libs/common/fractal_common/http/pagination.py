"""`page` and `page_size`: parsing, the error text of the contract, and the response's shape."""

from collections.abc import Iterable
from typing import Annotated, Any, Generic, Self, TypeVar

from fastapi import Depends, HTTPException
from pydantic import BaseModel, Field, ValidationError, model_validator

Item = TypeVar("Item")
MAX_OFFSET = 2**63 - 1  # of Postgres


class PaginationRequest(BaseModel):
    """One page of a list; without `page_size` the whole list."""

    page: Annotated[int, Field(ge=1)] = 1
    page_size: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _page_needs_a_size(self) -> "PaginationRequest":
        if self.page_size is None and self.page > 1:
            raise ValueError(f"page_size is None but page={self.page} is greater than 1.")
        return self

    @property
    def offset(self) -> int:
        return min((self.page - 1) * (self.page_size or 0), MAX_OFFSET)


class Page(BaseModel, Generic[Item]):
    """Key order as on the wire. Without `page_size` in the request it equals `total_count`."""

    current_page: Annotated[int, Field(ge=1)]
    page_size: Annotated[int, Field(ge=0)]
    total_count: Annotated[int, Field(ge=0)]
    items: list[Item]

    @classmethod
    def answer(cls, request: PaginationRequest, total: int, rows: Iterable[Any]) -> Self:
        """The page that was asked for; rows may be anything from which an item can be read."""
        size = request.page_size or total
        return cls.model_validate(
            {"current_page": request.page, "page_size": size, "total_count": total, "items": list(rows)},
            from_attributes=True,
        )


async def pagination(page: int = 1, page_size: int | None = None) -> PaginationRequest:
    try:
        return PaginationRequest(page=page, page_size=page_size)
    except ValidationError as error:
        raise HTTPException(422, f"Invalid pagination parameters. Original error: '{error}'.") from None


Pagination = Annotated[PaginationRequest, Depends(pagination)]
