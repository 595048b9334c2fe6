"""Identity §6: log-in through a real OpenID provider, and mail to the administrators through a real mail server."""

import base64
import json
import os
import re
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import jwt
import pytest
from fractal_common.settings import NatsSettings

from tests.api import Api
from tests.conftest import PostgresServer
from tests.processes import until

from .mailbox import RECIPIENTS, SENDER, MailServer, smtp_server
from .provider import CLIENT_ID, CLIENT_SECRET, OpenIDProvider, openid_provider
from .replicas import Replicas, auth_service, started

HELP_URL = "https://help.example.org"
KEY = "k" * 40
WEB = "http://127.0.0.1:9/auth/login/oauth2/"
PENDING = (
    "Thank you for registering for the Fractal service. Administrators have been informed to configure your account "
    "and will get back to you."
    f"\nYou can find more information about the onboarding process at {HELP_URL}/."
)


@dataclass(frozen=True)
class Instance:
    """A server that has the provider, and what the tests need around it."""

    replicas: Replicas
    provider: OpenIDProvider
    mail: MailServer

    @property
    def url(self) -> str:
        return self.replicas.auth[0]

    @property
    def callback_url(self) -> str:
        return f"{self.url}/auth/myidp/callback/"

    def authorize(self, **params: Any) -> tuple[str, str]:
        """URL of the provider, and the value of the cookie that goes with it."""
        answer = httpx.get(f"{self.url}/auth/myidp/authorize/", params=params, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()["authorization_url"], answer.cookies["fastapiusersoauthcsrf"]

    def callback(self, csrf: str | None, **params: str) -> httpx.Response:
        headers = {"Cookie": f"fastapiusersoauthcsrf={csrf}"} if csrf else {}
        return httpx.get(self.callback_url, params=params, headers=headers, timeout=30)

    def come_back_as(self, user: str) -> httpx.Response:
        """The whole flow of a person who has an account at the provider."""
        url, csrf = self.authorize()
        query = self.provider.log_in(url, user, self.callback_url)
        return self.callback(csrf, code=query["code"], state=query["state"])

    def code_of(self, user: str) -> tuple[str, str, str]:
        """A good code, its state, and the cookie."""
        url, csrf = self.authorize()
        query = self.provider.log_in(url, user, self.callback_url)
        return query["code"], query["state"], csrf


@pytest.fixture(scope="module")
def instance(
    postgres_server: PostgresServer,
    nats_server: tuple[NatsSettings, NatsSettings],
    tmp_path_factory: pytest.TempPathFactory,
) -> Generator[Instance]:
    folders = [tmp_path_factory.mktemp(name) for name in ("provider", "mail", "instance")]
    with openid_provider(folders[0]) as provider, smtp_server(folders[1], dict(os.environ)) as mail:
        settings = {
            "JWT_SECRET_KEY": KEY,
            "COOKIE_EXPIRE_SECONDS": "5000",
            "OAUTH_CLIENT_NAME": "MyIdP",
            "OAUTH_CLIENT_ID": CLIENT_ID,
            "OAUTH_CLIENT_SECRET": CLIENT_SECRET,
            "OAUTH_OIDC_CONFIG_ENDPOINT": provider.configuration_url,
            "FRACTAL_HELP_URL": HELP_URL,
            **mail.settings,
        }
        with started(postgres_server, nats_server[0], folders[2], name="oauth", settings=settings, jobs=0) as replicas:
            instance = Instance(replicas, provider, mail)
            provider.add_client(instance.callback_url, WEB)
            provider.add_user("jane", "Jane@example.org")
            provider.add_user("unknown", "unknown@example.org")
            provider.add_user("nomail")
            yield instance


@pytest.fixture(scope="module")
def jane(instance: Instance) -> dict[str, Any]:
    """Has an account here with the same address, in other letters."""
    body = {"email": "jane@example.org", "password": "a password here", "project_dirs": ["/jane"]}
    return instance.replicas.admin.post("/auth/register/", body)


def test_authorize_tells_where_to_go_and_binds_the_browser(instance: Instance) -> None:
    answer = httpx.get(f"{instance.url}/auth/myidp/authorize/", timeout=30)
    assert (answer.status_code, answer.json().keys()) == (200, {"authorization_url"})
    url = urlsplit(answer.json()["authorization_url"])
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{instance.provider.url}/oauth/authorize"
    query = parse_qsl(url.query)
    assert [name for name, _ in query] == ["response_type", "client_id", "redirect_uri", "state", "scope"]
    values = dict(query)
    assert (values["response_type"], values["client_id"], values["scope"]) == ("code", CLIENT_ID, "openid email")
    assert values["redirect_uri"] == instance.callback_url
    cookie = re.fullmatch(
        r"fastapiusersoauthcsrf=([\w-]{43}); HttpOnly; Max-Age=3600; Path=/; SameSite=lax; Secure",
        answer.headers["set-cookie"],
    )
    assert cookie is not None, answer.headers["set-cookie"]
    state = jwt.decode(values["state"], KEY, algorithms=["HS256"], audience="fastapi-users:oauth-state")
    assert state.keys() == {"csrftoken", "aud", "exp"}
    assert (state["csrftoken"], state["aud"]) == (cookie[1], "fastapi-users:oauth-state")
    assert 3590 < state["exp"] - time.time() <= 3600


def test_scopes_and_the_gateways_name_are_taken_over(instance: Instance) -> None:
    url, _ = instance.authorize(scopes=["openid", "profile"])
    assert dict(parse_qsl(urlsplit(url).query))["scope"] == "openid profile"
    headers = {"Host": "fractal.example.org", "X-Forwarded-Proto": "https"}
    url = httpx.get(f"{instance.url}/auth/myidp/authorize/", headers=headers, timeout=30).json()["authorization_url"]
    assert dict(parse_qsl(urlsplit(url).query))["redirect_uri"] == ("https://fractal.example.org/auth/myidp/callback/")


def test_the_name_in_the_url_is_in_small_letters(instance: Instance) -> None:
    assert httpx.get(f"{instance.url}/auth/MyIdP/authorize/").status_code == 404


def test_somebody_with_the_same_address_is_logged_in(instance: Instance, jane: dict[str, Any]) -> None:
    answer = instance.come_back_as("jane")
    assert (answer.status_code, answer.content) == (204, b"")
    (cookie,) = [value for name, value in answer.headers.multi_items() if name == "set-cookie"]
    found = re.fullmatch(r"fastapiusersauth=([\w.-]+); HttpOnly; Path=/; SameSite=none; Secure", cookie)
    assert found is not None, cookie
    header, payload = (json.loads(base64.urlsafe_b64decode(f"{part}==")) for part in found[1].split(".")[:2])
    assert header == {"alg": "HS256", "typ": "JWT"}
    assert (payload.keys(), payload["sub"]) == ({"sub", "aud", "exp"}, str(jane["id"]))
    assert 4900 < payload["exp"] - time.time() <= 5000, "COOKIE_EXPIRE_SECONDS"
    web = httpx.get(f"{instance.url}/auth/current-user/", headers={"Cookie": f"fastapiusersauth={found[1]}"})
    assert web.status_code == 200
    (account,) = web.json()["oauth_accounts"]
    assert account.keys() == {"id", "account_email", "oauth_name"}
    assert (account["account_email"], account["oauth_name"]) == ("Jane@example.org", "openid")
    assert (web.json()["email"], web.json()["is_verified"]) == ("jane@example.org", False), "are not touched"


def test_a_linked_account_stays_linked_when_addresses_change(instance: Instance, jane: dict[str, Any]) -> None:
    path = f"/auth/users/{jane['id']}/"
    instance.replicas.admin.patch(path, {"email": "moved@example.org"})
    assert instance.come_back_as("jane").status_code == 204
    assert len(instance.replicas.admin.get(path)["oauth_accounts"]) == 1
    instance.replicas.admin.patch(path, {"email": "jane@example.org"})


def test_an_inactive_user_is_refused_but_linked(instance: Instance) -> None:
    body = {"email": "inactive@example.org", "password": "a password here", "project_dirs": ["/x"]}
    user = instance.replicas.admin.post("/auth/register/", body)
    instance.replicas.admin.patch(f"/auth/users/{user['id']}/", {"is_active": False})
    instance.provider.add_user("inactive", "inactive@example.org")
    answer = instance.come_back_as("inactive")
    assert (answer.status_code, answer.json()) == (400, {"detail": "LOGIN_BAD_CREDENTIALS"})
    assert "set-cookie" not in answer.headers
    assert len(instance.replicas.admin.get(f"/auth/users/{user['id']}/")["oauth_accounts"]) == 1


def test_an_unknown_address_creates_nobody_and_tells_the_administrators(instance: Instance) -> None:
    before = len(instance.mail.messages())
    answer = instance.come_back_as("unknown")
    assert (answer.status_code, answer.json()) == (400, {"detail": PENDING})
    assert "set-cookie" not in answer.headers
    assert "unknown@example.org" not in {user["email"] for user in instance.replicas.admin.get("/auth/users/")}
    until(lambda: len(instance.mail.messages()) == before + 1, "the mail has arrived", timeout_s=5)
    message = instance.mail.messages()[-1]
    assert message["Subject"] == "[Fractal, test instance] New OAuth self-registration"
    assert message["From"] == f'"{SENDER}" <{SENDER}>'
    assert " ".join(message["To"].split()) == ", ".join(f'"{one}" <{one}>' for one in RECIPIENTS)
    assert message.get_content_type() == "text/plain"
    text = message.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert "User 'unknown@example.org' tried to self-register through OAuth." in text
    assert PENDING in text.replace("\r\n", "\n")


def test_without_an_address_nobody_can_be_found(instance: Instance) -> None:
    answer = instance.come_back_as("nomail")
    assert (answer.status_code, answer.json()) == (400, {"detail": "OAUTH_NOT_AVAILABLE_EMAIL"})


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ({"error": "access_denied"}, "access_denied"),
        ({"error": "access_denied", "code": "x"}, "access_denied"),
        ({}, "Bad Request"),
        ({"state": "x"}, "Bad Request"),
    ],
)
def test_a_refusal_of_the_provider_is_passed_on(instance: Instance, query: dict[str, str], detail: str) -> None:
    answer = instance.callback(None, **query)
    assert (answer.status_code, answer.json()) == (400, {"detail": detail})


def test_a_code_that_is_not_good_comes_before_the_state(instance: Instance) -> None:
    answer = instance.callback(None, code="made-up", state="made-up")
    assert answer.status_code == 400
    assert answer.json()["detail"] == "The provider did not accept the authorization code: invalid_grant."


def test_a_code_works_once(instance: Instance, jane: dict[str, Any]) -> None:
    code, state, csrf = instance.code_of("jane")
    assert instance.callback(csrf, code=code, state=state).status_code == 204
    answer = instance.callback(csrf, code=code, state=state)
    assert answer.status_code == 400
    assert "did not accept the authorization code" in answer.json()["detail"]


def signed(**claims: Any) -> str:
    whole = {"csrftoken": "c", "aud": "fastapi-users:oauth-state", "exp": int(time.time()) + 3600} | claims
    return jwt.encode(whole, KEY, algorithm="HS256")


@pytest.mark.parametrize(
    ("state", "cookie", "detail"),
    [
        (None, "c", "ACCESS_TOKEN_DECODE_ERROR"),
        ("garbage", "c", "ACCESS_TOKEN_DECODE_ERROR"),
        (jwt.encode({"csrftoken": "c"}, "z" * 40, algorithm="HS256"), "c", "ACCESS_TOKEN_DECODE_ERROR"),
        (signed(aud="fastapi-users:auth"), "c", "ACCESS_TOKEN_DECODE_ERROR"),
        (signed(exp=1), "c", "ACCESS_TOKEN_ALREADY_EXPIRED"),
        (signed(), "other", "OAUTH_INVALID_STATE"),
        (signed(), None, "OAUTH_INVALID_STATE"),
        (signed(csrftoken=None), "c", "OAUTH_INVALID_STATE"),
    ],
)
def test_a_state_that_this_browser_did_not_get_is_refused(
    instance: Instance, state: str | None, cookie: str | None, detail: str
) -> None:
    code, _, _ = instance.code_of("jane")
    query = {"code": code} | ({"state": state} if state is not None else {})
    answer = instance.callback(cookie, **query)
    assert (answer.status_code, answer.json()) == (400, {"detail": detail})
    assert "set-cookie" not in answer.headers


def test_the_front_end_may_leave_out_the_slash(instance: Instance) -> None:
    answer = httpx.get(instance.callback_url.removesuffix("/"), params={"code": "c", "state": "s"})
    assert (answer.status_code, answer.headers["location"]) == (307, f"{instance.callback_url}?code=c&state=s")


def test_no_secret_is_logged(instance: Instance, jane: dict[str, Any]) -> None:
    code, state, csrf = instance.code_of("jane")
    answer = instance.callback(csrf, code=code, state=state)
    token = answer.cookies["fastapiusersauth"]
    written = "".join(file.read_text() for file in instance.mail.folder.parent.glob("instance*/output.log"))
    assert "oauth.self_registration" in written, "this is the log"
    for secret in (code, state, csrf, token, CLIENT_SECRET, KEY):
        assert secret not in written


def test_the_web_client_brings_the_code_and_another_claim_is_the_address(
    instance: Instance, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    """The provider sends the browser to the web client, which asks the callback, without its last slash."""
    settings = {
        "JWT_SECRET_KEY": KEY,
        "OAUTH_CLIENT_NAME": "myidp",
        "OAUTH_CLIENT_ID": CLIENT_ID,
        "OAUTH_CLIENT_SECRET": CLIENT_SECRET,
        "OAUTH_OIDC_CONFIG_ENDPOINT": instance.provider.configuration_url,
        "OAUTH_REDIRECT_URL": WEB,
        "OAUTH_EMAIL_CLAIM": "name",
    }
    body = {"email": "by-name@example.org", "password": "a password here", "project_dirs": ["/x"]}
    user = instance.replicas.admin.post("/auth/register/", body)
    instance.provider.add_user("named", "another@example.org", "--formatted-name", "by-name@example.org")
    with auth_service(tmp_path, postgres_server.environment("oauth"), **settings) as url:
        scopes = {"scopes": ["openid", "profile"]}
        answer = httpx.get(f"{url}/auth/myidp/authorize/", params=scopes, timeout=30)
        query = instance.provider.log_in(answer.json()["authorization_url"], "named", WEB)
        headers = {"Cookie": f"fastapiusersoauthcsrf={answer.cookies['fastapiusersoauthcsrf']}"}
        params = {"code": query["code"], "state": query["state"]}
        first = httpx.get(f"{url}/auth/myidp/callback", params=params, headers=headers)
        assert first.status_code == 307
        answer = httpx.get(first.headers["location"], headers=headers, timeout=30)
        assert answer.status_code == 204, answer.text
        headers = {"Cookie": f"fastapiusersauth={answer.cookies['fastapiusersauth']}"}
        assert httpx.get(f"{url}/auth/current-user/", headers=headers).json()["id"] == user["id"]


def test_password_log_in_stays_beside_it(instance: Instance, jane: dict[str, Any]) -> None:
    Api.login(instance.url, jane["email"], "a password here").close()
