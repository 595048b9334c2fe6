"""The two renderings of a time that the contract shows: `…+00:00` (isoformat) and `…Z` (pydantic's own)."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, PlainSerializer


def _isoformat(value: datetime) -> str:
    return value.isoformat()


IsoTime = Annotated[AwareDatetime, PlainSerializer(_isoformat, return_type=str)]
"""`2026-11-23T06:31:30.324808+00:00`, for most objects."""

ZuluTime = AwareDatetime
"""`2026-11-23T06:31:30.324808Z`, for resources and workflow templates."""
