"""Responses without a body."""

from fastapi import Response


def empty(status_code: int = 200) -> Response:
    """Neither body nor content type, as the contract has it for stars, invitations and the like."""
    return Response(status_code=status_code)
