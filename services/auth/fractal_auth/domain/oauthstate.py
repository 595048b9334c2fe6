"""The `state` of an OAuth log-in: a token that only the browser which began it can bring back."""

import secrets
from datetime import UTC, datetime, timedelta

import jwt

AUDIENCE = "fastapi-users:oauth-state"
COOKIE_NAME = "fastapiusersoauthcsrf"
LIFETIME_S = 3600


class InvalidState(ValueError):
    """The text is the contract's code."""


def new_csrf_token() -> str:
    return secrets.token_urlsafe(32)


def issue_state(csrf_token: str, *, key: str) -> str:
    expires = datetime.now(UTC) + timedelta(seconds=LIFETIME_S)
    return jwt.encode({"csrftoken": csrf_token, "aud": AUDIENCE, "exp": expires}, key, algorithm="HS256")


def check_state(state: str | None, cookie: str | None, *, key: str) -> None:
    """Raises InvalidState unless this state was issued within the hour, to the browser with this cookie."""
    try:
        claims = jwt.decode(state or "", key, algorithms=["HS256"], audience=AUDIENCE)
    except jwt.ExpiredSignatureError:
        raise InvalidState("ACCESS_TOKEN_ALREADY_EXPIRED") from None
    except jwt.PyJWTError:
        raise InvalidState("ACCESS_TOKEN_DECODE_ERROR") from None
    token = claims.get("csrftoken")
    if not (isinstance(token, str) and cookie and secrets.compare_digest(token.encode(), cookie.encode())):
        raise InvalidState("OAUTH_INVALID_STATE")
