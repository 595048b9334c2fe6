"""The least that an OpenAPI document lets a request be: required parameters and a body that its schema allows."""

from typing import Any

METHODS = {"get", "post", "put", "patch", "delete"}
STRINGS = {"date-time": "2026-01-01T00:00:00Z", "email": "somebody@example.org"}


class Examples:
    """Requests for the operations of one document; `known` values are taken for parameters of their name."""

    def __init__(self, document: dict[str, Any], known: dict[str, Any]) -> None:
        self._document = document
        self._known = known

    def routes(self) -> list[str]:
        paths = self._document["paths"]
        return [f"{method.upper()} {path}" for path, item in paths.items() for method in item if method in METHODS]

    def request(self, route: str, body: Any = None) -> tuple[str, str, dict[str, Any]]:
        """Method, URL and arguments for httpx; a `body` that is given is taken instead of an example."""
        method, path = route.split()
        operation = self._document["paths"][path][method.lower()]
        query: dict[str, Any] = {}
        for parameter in operation.get("parameters", []):
            value = self._known.get(parameter["name"]) or self._value(parameter["schema"])
            if parameter["in"] == "path":
                path = path.replace("{" + parameter["name"] + "}", str(value))
            elif parameter.get("required"):
                query[parameter["name"]] = value
        arguments: dict[str, Any] = {"params": query}
        content = operation.get("requestBody", {}).get("content", {})
        for kind, argument in (
            ("application/json", "json"),
            ("application/x-www-form-urlencoded", "data"),
            ("multipart/form-data", "data"),
        ):
            if kind in content:
                arguments[argument] = self._value(content[kind]["schema"]) if body is None else body
        return method, path, arguments

    def _value(self, schema: dict[str, Any]) -> Any:
        if "$ref" in schema:
            return self._value(self._document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
        for alternatives in ("anyOf", "oneOf", "allOf"):
            if alternatives in schema:
                return self._value(schema[alternatives][0])
        if "const" in schema or "enum" in schema:
            return schema.get("const", schema.get("enum", [None])[0])
        match schema.get("type"):
            case "object":
                properties = schema.get("properties", {})
                return {name: self._value(properties[name]) for name in schema.get("required", [])}
            case "array":
                return [self._value(schema["items"])] * schema.get("minItems", 0)
            case "integer" | "number":
                return 1
            case "boolean":
                return True
            case "null" | None:
                return None
            case _:
                return STRINGS.get(schema.get("format", ""), "x")
