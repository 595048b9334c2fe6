"""Identity §6.1: which provider is meant by which settings, and what becomes of one that does not answer."""

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from tests.processes import free_port

from .replicas import auth_service


@pytest.mark.parametrize(
    ("name", "authorize_endpoint", "scopes"),
    [
        (
            "Google",
            "https://accounts.google.com/o/oauth2/v2/auth",
            {"https://www.googleapis.com/auth/userinfo.profile", "https://www.googleapis.com/auth/userinfo.email"},
        ),
        ("github", "https://github.com/login/oauth/authorize", {"user", "user:email"}),
    ],
)
def test_google_and_github_need_no_endpoint(
    tmp_path: Path, database_environment: dict[str, str], name: str, authorize_endpoint: str, scopes: set[str]
) -> None:
    settings = {
        "OAUTH_CLIENT_NAME": name,
        "OAUTH_CLIENT_ID": "id",
        "OAUTH_CLIENT_SECRET": "secret",
        "OAUTH_REDIRECT_URL": "https://web.example.org/auth/login/oauth2/",
    }
    with auth_service(tmp_path, database_environment, **settings) as url:
        target = httpx.get(f"{url}/auth/{name.lower()}/authorize/").json()["authorization_url"]
    parts = urlsplit(target)
    query = dict(parse_qsl(parts.query))
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == authorize_endpoint
    assert (query["client_id"], set(query["scope"].split())) == ("id", scopes)
    assert query["redirect_uri"] == settings["OAUTH_REDIRECT_URL"]


def test_without_a_provider_there_are_no_routes(tmp_path: Path, database_environment: dict[str, str]) -> None:
    with auth_service(tmp_path, database_environment, FRACTAL_DISABLE_BASIC_AUTH="true") as url:
        for name in ("openid", "google", "github"):
            assert httpx.get(f"{url}/auth/{name}/authorize/").status_code == 404
        for path in ("/auth/token/login/", "/auth/token/login"):
            answer = httpx.post(f"{url}{path}", data={"username": "a", "password": "b"})
            assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})
        assert httpx.post(f"{url}/auth/token/logout/").status_code == 401


def test_a_provider_that_is_down_does_not_take_the_service_with_it(
    tmp_path: Path, database_environment: dict[str, str]
) -> None:
    """Whoever has a token goes on; logging in through the provider works as soon as that does."""
    settings = {
        "OAUTH_CLIENT_NAME": "site",
        "OAUTH_CLIENT_ID": "id",
        "OAUTH_CLIENT_SECRET": "secret",
        "OAUTH_OIDC_CONFIG_ENDPOINT": f"http://127.0.0.1:{free_port()}/.well-known/openid-configuration",
    }
    with auth_service(tmp_path, database_environment, **settings) as url:
        for path in ("/auth/site/authorize/", "/auth/site/callback/?code=c&state=s"):
            answer = httpx.get(f"{url}{path}", timeout=30)
            assert answer.status_code == 503
            assert "OAUTH_OIDC_CONFIG_ENDPOINT" in answer.json()["detail"]
        assert httpx.get(f"{url}/auth/current-user/").status_code == 401
    assert settings["OAUTH_OIDC_CONFIG_ENDPOINT"] in (tmp_path / "output.log").read_text()
