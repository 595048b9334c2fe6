"""OpenAPI documents compared by what clients see: parameters, request bodies, answers; not by names of models."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

METHODS = {"get", "post", "put", "patch", "delete"}
# Words for people, and bounds that only an error message would tell a client about.
NOT_COMPARED = {"title", "description", "default", "examples", "discriminator"}
ALTERNATIVES = ("anyOf", "oneOf", "allOf")


@dataclass(frozen=True)
class Difference:
    """`where` is a path inside the operation; `theirs` and `ours` are what stands there."""

    where: str
    theirs: Any
    ours: Any

    def __str__(self) -> str:
        return f"{self.where}: {self.theirs}, ours {self.ours}"


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """`GET /path/` → its description."""
    return {
        f"{method.upper()} {path}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


class Comparison:
    """Of one document with the reference's."""

    def __init__(self, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
        self._theirs = theirs["components"]["schemas"]
        self._ours = ours["components"]["schemas"]
        self._open: set[tuple[str, str]] = set()

    def operation(self, theirs: dict[str, Any], ours: dict[str, Any]) -> list[Difference]:
        found = [*self._parameters(theirs.get("parameters", []), ours.get("parameters", []))]
        bodies = theirs.get("requestBody", {}), ours.get("requestBody", {})
        found += _value("body.required", bodies[0].get("required", False), bodies[1].get("required", False))
        found += self._content("body", *bodies)
        found += _value("responses", _successes(theirs), _successes(ours))
        for code in _successes(theirs).intersection(_successes(ours)):
            found += self._content(code, theirs["responses"][code], ours["responses"][code])
        return found

    def _parameters(self, theirs: list[dict[str, Any]], ours: list[dict[str, Any]]) -> Iterator[Difference]:
        left, right = ({f"{one['in']} {one['name']}": one for one in side} for side in (theirs, ours))
        yield from _value("parameters", set(left), set(right))
        for name in left.keys() & right.keys():
            a, b = left[name], right[name]
            yield from _value(f"{name} required", a.get("required", False), b.get("required", False))
            yield from _value(f"{name} default", a["schema"].get("default"), b["schema"].get("default"))
            yield from self.schema(name, a["schema"], b["schema"])

    def _content(self, where: str, theirs: dict[str, Any], ours: dict[str, Any]) -> Iterator[Difference]:
        left, right = theirs.get("content", {}), ours.get("content", {})
        yield from _value(f"{where} content", set(left), set(right))
        for kind in left.keys() & right.keys():
            yield from self.schema(where, left[kind].get("schema", {}), right[kind].get("schema", {}))

    def schema(self, where: str, theirs: Any, ours: Any) -> list[Difference]:
        if isinstance(theirs, dict) and isinstance(ours, dict):
            pair = (theirs.get("$ref", ""), ours.get("$ref", ""))
            if all(pair):
                if pair in self._open:
                    return []
                self._open.add(pair)
            try:
                return list(self._object(where, _resolved(self._theirs, theirs), _resolved(self._ours, ours)))
            finally:
                self._open.discard(pair)
        return list(_value(where, theirs, ours))

    def _object(self, where: str, theirs: dict[str, Any], ours: dict[str, Any]) -> Iterator[Difference]:
        for key in sorted((theirs.keys() | ours.keys()) - NOT_COMPARED):
            left, right = theirs.get(key), ours.get(key)
            if key == "properties":
                yield from _value(f"{where}.properties", set(left or ()), set(right or ()))
                for name in sorted((left or {}).keys() & (right or {}).keys()):
                    yield from self.schema(f"{where}.{name}", theirs[key][name], ours[key][name])
            elif key in ALTERNATIVES and left and right:
                yield from self._alternatives(where, left, right)
            elif key in {"required", "enum"}:
                yield from _value(f"{where}.{key}", set(left or ()), set(right or ()))
            elif left is None or right is None:
                yield from _value(f"{where}.{key}", left, right)
            else:
                yield from self.schema(f"{where}[{key}]", left, right)

    def _alternatives(self, where: str, theirs: list[Any], ours: list[Any]) -> Iterator[Difference]:
        """In any order: each of theirs goes with the one of ours that resembles it most."""
        left = list(ours)
        yield from _value(f"{where} alternatives", len(theirs), len(ours))
        for number, one in enumerate(theirs):
            if left:
                best = min(left, key=lambda other: len(self.schema(where, one, other)))
                left.remove(best)
                yield from self.schema(f"{where}|{number}", one, best)


def _resolved(schemas: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    return schema


def _successes(operation: dict[str, Any]) -> set[str]:
    return {code for code in operation["responses"] if code < "400"}


def _value(where: str, theirs: Any, ours: Any) -> Iterator[Difference]:
    if theirs != ours:
        yield Difference(where, theirs, ours)
