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

    `before` and `after` are what stands around it. It is encoded and sent piece by piece: to put a list of some
    megabytes together costs as much as to read it, and the client can begin to read.
    """

    media_type = "application/json"

    def __init__(self, items: Sequence[str], *, before: str = "[", after: str = "]") -> None:
        separated = [part for item in items for part in (",", item)][1:]
        self._parts = [before, *separated, after]
        super().__init__(headers={"content-length": str(sum(map(_length, self._parts)))})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for piece in self._pieces():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _pieces(self) -> Iterator[bytes]:
        begin = size = 0
        for end, part in enumerate(self._parts):
            size += len(part)
            if size > CHUNK_CHARACTERS:
                yield "".join(self._parts[begin : end + 1]).encode()
                begin, size = end + 1, 0
        yield "".join(self._parts[begin:]).encode()


def _length(text: str) -> int:
    """In UTF-8."""
    return len(text) if text.isascii() else len(text.encode())
