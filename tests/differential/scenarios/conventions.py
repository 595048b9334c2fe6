"""What holds for every route: paths, methods, bodies, callers, pages."""

from typing import Any

from ..pair import Pair

JSON = {"content-type": "application/json"}


def run(pair: Pair) -> None:
    pair.call("u1", "GET", "/project")
    pair.call("u1", "GET", "/nothing/")
    pair.call("u1", "GET", "/api/nothing/")
    pair.call("u1", "PUT", "/project/")
    pair.call("u1", "DELETE", "/job/")
    pair.call("u1", "GET", "/project/1/workflow/import/")
    pair.call("nobody", "GET", "/api/alive/")
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("malformed", {"content": b"{bad", "headers": JSON}),
        ("empty", {"content": b"", "headers": JSON}),
        ("no content type", {"content": b'{"name":"x"}'}),
        ("text", {"content": b'{"name":"x"}', "headers": {"content-type": "text/plain"}}),
        ("form", {"data": {"name": "x"}}),
        ("vendor json", {"content": b'{"name":" v "}', "headers": {"content-type": "application/vnd.api+json"}}),
        ("list", {"json": [1]}),
        ("null", {"content": b"null", "headers": JSON}),
        ("text as json", {"json": "x"}),
        ("unknown field", {"json": {"x": 1}}),
        ("not UTF-8", {"content": b'{"name":"\xff"}', "headers": JSON}),
        ("lone surrogate", {"content": b'{"name":"\\ud800"}', "headers": JSON}),
        ("NUL", {"content": b'{"name":"n","description":"a\\u0000b"}', "headers": JSON}),
        ("not a number", {"content": b'{"name": NaN}', "headers": JSON}),
        ("twice the same key", {"content": b'{"name":"one","name":"two"}', "headers": JSON}),
    ]
    for note, body in bodies:
        for who in ("nobody", "guest", "stranger", "unverified", "u1"):
            pair.call(who, "POST", "/project/", note=note, **body)
    for who in ("nobody", "guest", "stranger", "unverified", "u1", "admin"):
        pair.call(who, "GET", "/project/", note=f"as {who}")
        pair.call(who, "GET", "/project/notanumber/")
        pair.call(who, "GET", "/admin/v2/profile/")
    pair.call("u1", "GET", "/project/1.0/")
    pair.call("u1", "GET", "/project/ 1/")
    pair.call("u1", "GET", "/project/-1/")
    pair.call("u1", "GET", "/project/99999999999/")
    pair.call("u1", "GET", "/project/999999999999999999999999999999/")
    for value in ("true", "1", "No", "off", "F", "", "2", "null"):
        pair.call("u1", "GET", "/project/", params={"is_owner": value}, note=f"is_owner={value}")
    pages = [
        {"page": "0"},
        {"page": "2"},
        {"page": "-1"},
        {"page_size": "0"},
        {"page": "x"},
        {"page_size": ""},
        {"page": "1.0"},
        {"page": "3", "page_size": "2"},
        {"page": "99999999999999999999", "page_size": "10"},
        {"page_size": "99999999999999999999"},
    ]
    for page in pages:
        for who in ("nobody", "u1"):
            pair.call(who, "GET", "/dataset/", params=page, note=str(page))
    pair.call("u1", "GET", "/job/", params={"log": "maybe"})
