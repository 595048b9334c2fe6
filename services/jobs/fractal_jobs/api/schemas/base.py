"""Bases: what unknown keys do, and reading from rows."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A request body that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid")


class Lenient(BaseModel):
    """A request body that ignores unknown keys."""

    model_config = ConfigDict(extra="ignore")


class Read(BaseModel):
    """A response read from a row's attributes."""

    model_config = ConfigDict(from_attributes=True)
