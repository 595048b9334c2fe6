"""Tokens and who is behind them.

HS256 JSON web tokens with `sub` (user id as a string), `aud` `["fastapi-users:auth"]` and `exp`; nothing else, so
rights are read from the database at each request and a token never outlives them.
"""

import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any

import jwt
from fastapi import Request
from fastapi.openapi.models import OAuthFlowPassword, OAuthFlows
from fastapi.security import APIKeyCookie, OAuth2

AUDIENCE = "fastapi-users:auth"
COOKIE_NAME = "fastapiusersauth"
IMPERSONATION_LIFETIME_S = 7200
MAX_TOKENS_KEPT = 4096


def issue_token(user_id: int, *, key: str, lifetime_s: int) -> str:
    """A bearer token; `lifetime_s` 0 means that it never expires."""
    claims: dict[str, Any] = {"sub": str(user_id), "aud": [AUDIENCE]}
    if lifetime_s:
        claims["exp"] = datetime.now(UTC) + timedelta(seconds=lifetime_s)
    return jwt.encode(claims, key, algorithm="HS256")


def token_user_id(token: str, *, key: str) -> int | None:
    """The user id of a valid token, else None. Ids beyond 32 bits belong to nobody."""
    try:
        user_id, expires = _signed(token, key)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if expires is not None and expires <= time.time():
        return None
    return user_id if 0 < user_id < 2**31 else None


@lru_cache(maxsize=MAX_TOKENS_KEPT)
def _signed(token: str, key: str) -> tuple[int, int | None]:
    """User id and expiry (seconds since 1970) of a token that is good; they never change, so it is looked at once.

    What is not signed by us raises and is not kept: nobody fills the memory with inventions.
    """
    claims = jwt.decode(token, key, algorithms=["HS256"], audience=AUDIENCE, options={"require": ["sub", "aud"]})
    return int(claims["sub"]), int(claims["exp"]) if "exp" in claims else None


def candidate_tokens(request: Request) -> list[str]:
    """Bearer header first, then the cookie: the first one that names an existing user wins."""
    tokens: list[str] = []
    scheme, _, value = request.headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        tokens.append(value.strip())
    cookie = request.cookies.get(COOKIE_NAME)
    if cookie:
        tokens.append(cookie)
    return tokens


oauth2_scheme = OAuth2(
    flows=OAuthFlows(password=OAuthFlowPassword(tokenUrl="/auth/token/login", scopes={})),
    scheme_name="OAuth2PasswordBearer",
    auto_error=False,
)
cookie_scheme = APIKeyCookie(name=COOKIE_NAME, auto_error=False)

Credentials = Annotated[list[str], "tokens of the request, in the order in which they are tried"]
