"""Projects, and who may do what with them."""

from ..pair import Pair

BAD_BODIES = [
    {},
    {"name": ""},
    {"name": "  "},
    {"name": None},
    {"name": 1},
    {"name": "a/b"},
    {"name": "ünicode"},
    {"name": "new\nline"},
    {"name": "end\n"},
    {"name": "x", "description": ""},
    {"name": "x", "description": 3},
    {"name": "x", "is_starred": True},
    {"name": "x" * 3000 + "!"},
]


def run(pair: Pair) -> None:
    pair.call("u1", "POST", "/project/", json={"name": "  My Proj 1 ", "description": " d "}, save="p1")
    pair.call("u1", "POST", "/project/", json={"name": "My Proj 1"})
    pair.call("u2", "POST", "/project/", json={"name": "My Proj 1"}, save="p2")
    pair.call("u1", "POST", "/project/", json={"name": "Another_one-2.0", "description": None}, save="p1b")
    for body in BAD_BODIES:
        pair.call("u1", "POST", "/project/", json=body, note=str(body)[:60])
        pair.call("u1", "PATCH", "/project/$p1/", json=body, note=str(body)[:60])
    pair.call("u1", "GET", "/project/")
    pair.call("u1", "GET", "/project/", params={"is_owner": False})
    pair.call("u1", "GET", "/project/$p1/")
    for who in ("u2", "guest", "admin"):
        pair.call(who, "GET", "/project/$p1/")
    pair.call("u1", "GET", "/project/98765/")
    pair.call("u1", "PATCH", "/project/$p1/", json={"name": "Another_one-2.0"})
    pair.call("u1", "PATCH", "/project/$p1/", json={"name": "My Proj 1"})
    pair.call("u1", "PATCH", "/project/$p1/", json={"description": None})
    pair.call("u1", "PATCH", "/project/$p1/", json={"name": "My Proj 1 ren"})
    pair.call("u2", "PATCH", "/project/$p1/", json={"name": "x"})
    pair.call("guest", "PATCH", "/project/$p1/", json={"name": "x"})
    pair.call("u1", "PATCH", "/project/98765/", json={"name": "x"})
    for verb in ("star", "star", "unstar", "star"):
        pair.call("u1", "POST", f"/project/$p1/{verb}/")
    pair.call("u2", "POST", "/project/$p1/star/")
    pair.call("u2", "POST", "/project/$p1/unstar/")
    pair.call("u1", "GET", "/project/", note="starred first")
    pair.call("u2", "DELETE", "/project/$p1/")
    pair.call("u1", "DELETE", "/project/98765/")
    pair.call("u1", "DELETE", "/project/$p1b/")
    pair.call("u1", "GET", "/project/$p1b/")
