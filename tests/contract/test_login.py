"""Identity §1, §3, §11: conventions, tokens, log-in and log-out, settings."""

import base64
import json
import time
from typing import Any

import pytest

from tests.api import Api

from .server import PASSWORD, Server


def claims(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, payload, _ = token.split(".")
    return tuple(json.loads(base64.urlsafe_b64decode(part + "==")) for part in (header, payload))  # type: ignore[return-value]


def test_alive_is_public_and_names_the_version(anonymous: Api) -> None:
    assert anonymous.get("/api/alive/") == {"alive": True, "version": "2.24.2"}


def test_a_missing_slash_is_redirected_before_anything_else(anonymous: Api, server: Server) -> None:
    for path in ("/api/v2/project", "/auth/users", "/api/alive"):
        answer = anonymous.http.get(path, params={"x": "1"})
        assert (answer.status_code, answer.content) == (307, b"")
        assert answer.headers["location"] == f"{server.url}{path}/?x=1"
    anonymous.get("/nothing", 404)
    assert anonymous.get("/nothing/", 404) == {"detail": "Not Found"}
    assert anonymous.call("DELETE", "/auth/users/", 405) == {"detail": "Method Not Allowed"}
    for path in ("/docs", "/openapi.json", "/docs/oauth2-redirect", "/redoc"):
        assert anonymous.http.get(path).status_code == 200


def test_the_openapi_document_is_that_of_both_services(anonymous: Api) -> None:
    document = anonymous.get("/openapi.json")
    assert (document["openapi"], document["info"]) == ("3.1.0", {"title": "FastAPI", "version": "0.1.0"})
    assert {"/auth/current-user/", "/api/v2/project/", "/admin/v2/resource/"} <= document["paths"].keys()
    schemes = document["components"]["securitySchemes"]
    assert schemes["OAuth2PasswordBearer"]["flows"]["password"]["tokenUrl"] == "/auth/token/login"
    assert schemes["APIKeyCookie"] == {"type": "apiKey", "in": "cookie", "name": "fastapiusersauth"}


@pytest.mark.parametrize("form", ["urlencoded", "multipart"])
def test_login_answers_with_a_token_of_the_contract(server: Server, anonymous: Api, form: str) -> None:
    user = server.register()
    fields = {"username": user["email"].upper(), "password": PASSWORD}
    body: dict[str, Any] = {"data": fields}
    if form == "multipart":
        body = {"files": {name: (None, value) for name, value in fields.items()}}
    answer = anonymous.call("POST", "/auth/token/login/", **body)
    assert answer.keys() == {"access_token", "token_type"}
    assert answer["token_type"] == "bearer"
    header, payload = claims(answer["access_token"])
    assert header == {"alg": "HS256", "typ": "JWT"}
    assert payload.keys() == {"sub", "aud", "exp"}
    assert (payload["sub"], payload["aud"]) == (str(user["id"]), ["fastapi-users:auth"])
    assert 3500 < payload["exp"] - time.time() <= 3600


def test_login_refuses_without_saying_why(server: Server, anonymous: Api) -> None:
    inactive = server.register()
    server.admin.patch(f"/auth/users/{inactive['id']}/", {"is_active": False})
    active = server.register()
    for username, password in [
        (active["email"], "wrong"),
        ("nobody@example.org", PASSWORD),
        (inactive["email"], PASSWORD),
        (f" {active['email']} ", PASSWORD),
        (active["email"], "x" * 100),
        (active["email"], "null\0byte"),
    ]:
        answer = anonymous.call("POST", "/auth/token/login/", 400, data={"username": username, "password": password})
        assert answer == {"detail": "LOGIN_BAD_CREDENTIALS"}


def test_login_needs_a_form(anonymous: Api) -> None:
    answer = anonymous.post("/auth/token/login/", {"username": "a", "password": "b"}, 422)
    assert [(item["type"], item["loc"], item["input"]) for item in answer["detail"]] == [
        ("missing", ["body", "username"], None),
        ("missing", ["body", "password"], None),
    ]
    form = {"username": "a", "password": "b", "grant_type": "code"}
    (item,) = anonymous.call("POST", "/auth/token/login/", 422, data=form)["detail"]
    assert (item["type"], item["loc"]) == ("string_pattern_mismatch", ["body", "grant_type"])


def test_a_token_counts_in_the_header_and_in_the_cookie(server: Server, anonymous: Api) -> None:
    user = server.register()
    form = {"username": user["email"], "password": PASSWORD}
    token = anonymous.call("POST", "/auth/token/login/", data=form)["access_token"]
    good, cookie = {"Authorization": f"bearer   {token}"}, {"Cookie": f"fastapiusersauth={token}"}
    for headers in (
        good,
        cookie,
        {"Authorization": "Bearer broken", **cookie},
        {"Authorization": "Basic eA==", **cookie},
    ):
        assert anonymous.call("GET", "/auth/current-user/", headers=headers)["id"] == user["id"]
    for headers in ({}, {"Authorization": f"Bearer {token}x"}, {"Authorization": f"Basic {token}"}):
        answer = anonymous.http.get("/auth/current-user/", headers=headers)
        assert (answer.status_code, answer.json()) == (401, {"detail": "Unauthorized"})
        assert "www-authenticate" not in answer.headers


def test_logout_is_stateless(server: Server, anonymous: Api) -> None:
    user = server.register()
    api = Api.login(server.url, user["email"], PASSWORD)
    assert api.post("/auth/token/logout/", status=204) is None
    api.get("/auth/current-user/")
    anonymous.post("/auth/token/logout/", status=401)
    for path in ("/auth/login/", "/auth/logout/"):
        anonymous.post(path, status=404)
    api.close()


def test_a_deactivated_user_is_refused_at_the_next_request(server: Server) -> None:
    user = server.register()
    api = Api.login(server.url, user["email"], PASSWORD)
    server.admin.patch(f"/auth/users/{user['id']}/", {"is_active": False})
    api.get("/auth/current-user/", 401)
    api.close()


def test_errors_come_in_the_order_of_the_contract(server: Server, anonymous: Api) -> None:
    json_type = {"Content-Type": "application/json"}
    answer = anonymous.call("POST", "/auth/register/", 422, content="{bad", headers=json_type)
    assert answer["detail"][0]["type"] == "json_invalid"
    anonymous.post("/auth/register/", {"x": 1}, 401)
    plain = server.person()
    assert plain.api.post("/auth/register/", {"x": 1}, 403) == {"detail": "Forbidden"}
    answer = server.admin.call(
        "POST", "/auth/register/", 422, content='{"a": 1}', headers={"Content-Type": "text/plain"}
    )
    assert (answer["detail"][0]["type"], answer["detail"][0]["loc"]) == ("model_attributes_type", ["body"])
    (item,) = server.admin.call("POST", "/auth/register/", 422)["detail"]
    assert item == {"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}
