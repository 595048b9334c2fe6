"""Every route of the OpenAPI document, as every kind of caller."""

import re
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.api import Api

from .levels import ROUTES, Level
from .server import PASSWORD, Server

UNAUTHORIZED = (401, "Unauthorized")
FORBIDDEN = (403, "Forbidden")
NO_PROFILE = (403, "Forbidden access (user.is_verified=True user.profile_id=None).")
NO_GUESTS = (403, "This feature is not available for guest users.")
REFUSALS = (UNAUTHORIZED, FORBIDDEN, NO_PROFILE, NO_GUESTS)
MISSING = "98765"
# The form of a collection is looked at before its sender (api §1.2), so it must be a good one.
FORMS = {"POST /api/v2/task/collect/pip/": {"package": "fractal-no-such-package"}}


@dataclass(frozen=True)
class Caller:
    """Somebody, the highest level they have, and how they are refused above it."""

    name: str
    api: Api
    level: Level
    refusal: tuple[int, str]
    superuser: bool = False

    def expected(self, level: Level) -> tuple[int, str] | None:
        """The refusal, or None if they may."""
        if level == Level.SUPER:
            refusal = UNAUTHORIZED if self.refusal == UNAUTHORIZED else FORBIDDEN
            return None if self.superuser else refusal
        return None if level <= self.level else self.refusal


@pytest.fixture(scope="module")
def callers(server: Server) -> Generator[list[Caller]]:
    inactive = server.person()
    server.admin.patch(f"/auth/users/{inactive.id}/", {"is_active": False})
    unverified = server.person(is_verified=False)
    no_profile = server.person(profile_id="keep")
    superuser = server.person(is_superuser=True)
    bare = server.register()
    server.admin.patch(f"/auth/users/{bare['id']}/", {"is_superuser": True})
    anonymous, bare_api = Api(server.url), Api.login(server.url, bare["email"], PASSWORD)
    yield [
        Caller("anonymous", anonymous, Level.PUBLIC, UNAUTHORIZED),
        Caller("inactive", inactive.api, Level.PUBLIC, UNAUTHORIZED),
        Caller("unverified", unverified.api, Level.ACTIVE, FORBIDDEN),
        Caller("without profile", no_profile.api, Level.VERIFIED, NO_PROFILE),
        Caller("guest", server.person(is_guest=True).api, Level.GUEST, NO_GUESTS),
        Caller("user", server.person().api, Level.USER, FORBIDDEN),
        Caller("superuser", superuser.api, Level.USER, FORBIDDEN, superuser=True),
        Caller("unverified superuser", bare_api, Level.ACTIVE, FORBIDDEN, superuser=True),
    ]
    anonymous.close()
    bare_api.close()


def documented(server: Server) -> list[str]:
    methods = {"get", "post", "put", "patch", "delete"}
    paths = server.admin.get("/openapi.json")["paths"]
    return [f"{method.upper()} {path}" for path, item in paths.items() for method in item if method in methods]


def test_every_route_has_its_row_and_every_row_its_route(server: Server) -> None:
    assert sorted(documented(server)) == sorted(ROUTES)


def test_everybody_gets_where_they_belong_and_nowhere_else(callers: list[Caller]) -> None:
    wrong: list[str] = []
    for route, level in ROUTES.items():
        method, path = route.split()
        url = re.sub(r"{\w+}", MISSING, path)
        body: dict[str, Any] = {"data": FORMS[route]} if route in FORMS else {}
        for caller in callers:
            answer = caller.api.http.request(method, url, **body)
            detail = answer.json().get("detail") if answer.status_code in (401, 403) else None
            got = (answer.status_code, detail)
            expected = caller.expected(level)
            if answer.status_code >= 500 or (got if got in REFUSALS else None) != expected:
                # A guest may call this one, and is refused by what it does (identity §5.6).
                if (route, caller.name, got) == ("PATCH /auth/current-user/", "guest", NO_GUESTS):
                    continue
                wrong.append(f"{route} as {caller.name}: {got}, expected {expected or 'no refusal'}")
    assert wrong == []
