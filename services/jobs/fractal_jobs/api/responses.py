"""Responses that are no model."""

from fastapi import Response


def empty(status_code: int = 200) -> Response:
    """Neither body nor content type, as the contract has it for stars, invitations and the like."""
    return Response(status_code=status_code)


def json(document: bytes) -> Response:
    """A body that Postgres has written; its form is that of the route's response model."""
    return Response(document, media_type="application/json")
