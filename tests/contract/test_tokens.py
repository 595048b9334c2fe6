"""Identity §3.2: which tokens are good."""

import json
import time
from typing import Any

import httpx
import jwt
import pytest

from .server import PASSWORD, Server

AUDIENCE = "fastapi-users:auth"


def whoami(server: Server, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.get(f"{server.url}/auth/current-user/", headers=headers)
    if answer.status_code == 401:
        assert answer.json() == {"detail": "Unauthorized"}
    return answer.status_code


def signed(server: Server, claims: dict[str, Any], key: str | None = None, algorithm: str = "HS256") -> str:
    """Any claims, of any type: the library's own way refuses some."""
    key = server.environment["JWT_SECRET_KEY"] if key is None else key
    return jwt.PyJWS().encode(json.dumps(claims).encode(), key, algorithm=algorithm)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"aud": AUDIENCE},
        {"aud": ["another", AUDIENCE]},
        {"iat": 1, "nbf": 1, "jti": "x", "role": "nobody"},
        {"exp": int(time.time()) + 3600},
        {"sub": " {id} "},
    ],
)
def test_good_tokens(server: Server, changes: dict[str, Any]) -> None:
    user = server.register()
    claims = {"sub": str(user["id"]), "aud": [AUDIENCE]} | changes
    claims["sub"] = claims["sub"].format(id=user["id"])
    assert whoami(server, signed(server, claims)) == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": None},
        {"aud": []},
        {"aud": "fastapi-users:oauth-state"},
        {"exp": int(time.time()) - 10},
        {"nbf": int(time.time()) + 3600},
        {"iat": int(time.time()) + 3600},
        {"sub": "x"},
        {"sub": ""},
        {"sub": "1.0"},
        {"sub": "0"},
        {"sub": "-1"},
        {"sub": str(2**31)},
        {"sub": "9" * 5000},
        {"sub": "98765"},
        {"sub": None},
    ],
)
def test_bad_tokens(server: Server, changes: dict[str, Any]) -> None:
    user = server.register()
    claims = {"sub": str(user["id"]), "aud": [AUDIENCE]} | changes
    assert whoami(server, signed(server, claims)) == 401


def test_a_token_without_audience_is_nobodys(server: Server) -> None:
    user = server.register()
    assert whoami(server, signed(server, {"sub": str(user["id"])})) == 401


def test_the_subject_is_a_text(server: Server) -> None:
    user = server.register()
    assert whoami(server, signed(server, {"sub": user["id"], "aud": [AUDIENCE]})) == 401
    assert whoami(server, signed(server, {"aud": [AUDIENCE]})) == 401


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_key_and_algorithm_are_ours(server: Server) -> None:
    claims = {"sub": str(server.register()["id"]), "aud": [AUDIENCE]}
    assert whoami(server, signed(server, claims, "another key " * 4)) == 401
    assert whoami(server, signed(server, claims, algorithm="HS512")) == 401
    assert whoami(server, jwt.encode(claims, "", algorithm="none")) == 401


def test_a_lifetime_of_zero_means_for_ever(server: Server) -> None:
    user = server.register()
    with server.replica(JWT_EXPIRE_SECONDS="0") as url:
        form = {"username": user["email"], "password": PASSWORD}
        token = httpx.post(f"{url}/auth/token/login/", data=form, timeout=30).json()["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims == {"sub": str(user["id"]), "aud": [AUDIENCE]}
    assert whoami(server, token) == 200


def test_the_first_token_of_an_existing_user_counts(server: Server) -> None:
    first, second = server.register(), server.register()
    key = {"aud": [AUDIENCE]}
    tokens = [signed(server, {"sub": str(one["id"]), **key}) for one in (first, second)]
    missing = signed(server, {"sub": "98765", **key})
    for bearer, cookie, expected in [
        (tokens[0], tokens[1], first["id"]),
        ("garbage", tokens[1], second["id"]),
        (missing, tokens[1], second["id"]),
        (tokens[0], "garbage", first["id"]),
    ]:
        headers = {"Authorization": f"Bearer {bearer}", "Cookie": f"fastapiusersauth={cookie}"}
        assert httpx.get(f"{server.url}/auth/current-user/", headers=headers).json()["id"] == expected
    server.admin.patch(f"/auth/users/{first['id']}/", {"is_active": False})
    headers = {"Authorization": f"Bearer {tokens[0]}", "Cookie": f"fastapiusersauth={tokens[1]}"}
    assert httpx.get(f"{server.url}/auth/current-user/", headers=headers).status_code == 401
    answer = httpx.get(f"{server.url}/auth/current-user/", params={"token": tokens[1]})
    assert answer.status_code == 401, "not from the query"
