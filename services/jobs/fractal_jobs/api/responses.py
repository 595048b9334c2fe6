"""Responses that are no model."""

from collections.abc import Iterator, Sequence

from fastapi import Response
from starlette.types import Receive, Scope, Send

CHUNK_CHARACTERS = 2**18


def empty(status_code: int = 200) -> Response:
    """Neither body nor content type, as the contract has it for stars, invitations and the like."""
    return Response(status_code=status_code)


class JsonArray(Response):
    """An array of JSON texts that Postgres has written; its form is that of the route's response model.

    `before` and `after` are what stands around it. It is sent piece by piece: to put a list of some megabytes together
    costs as much as to read it.
    """

    media_type = "application/json"

    def __init__(self, items: Sequence[str], *, before: str = "[", after: str = "]") -> None:
        self._pieces = list(_pieces(items, before, after))
        super().__init__(headers={"content-length": str(sum(map(len, self._pieces)))})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for piece in self._pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _pieces(items: Sequence[str], before: str, after: str) -> Iterator[bytes]:
    held, size = [before], 0
    for number, item in enumerate(items):
        if size > CHUNK_CHARACTERS:
            yield "".join(held).encode()
            held, size = [], 0
        held += (",", item) if number else (item,)
        size += len(item)
    held.append(after)
    yield "".join(held).encode()
