"""Declarative base, naming of constraints, and column shorthands used by every model."""

from datetime import UTC, datetime
from typing import Annotated, Any

from sqlalchemy import DateTime, Integer, MetaData, String, func
from sqlalchemy.dialects.postgresql import ARRAY, JSON, JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

JsonObject = dict[str, Any]


def utcnow() -> datetime:
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """Tables carry their schema themselves; sessions run in UTC, so timestamps read back as `+00:00`."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {
        str: String(),
        datetime: DateTime(timezone=True),
        JsonObject: JSONB(none_as_null=True),
        list[str]: ARRAY(String()),
    }


IntPk = Annotated[int, mapped_column(Integer, primary_key=True)]
Created = Annotated[datetime, mapped_column(default=utcnow, server_default=func.now())]
PlainJson = Annotated[JsonObject, mapped_column(JSON(none_as_null=True))]
"""A `json` column: keeps the order of the keys as sent, which the wire shows for meta and argument schemas."""
