"""Identity §11: who is alive, and with which settings."""

import re
from pathlib import Path

import httpx

from tests.api import Api
from tests.processes import free_port

from .server import Server

APP = {
    "JWT_EXPIRE_SECONDS": 3600,
    "JWT_SECRET_KEY": "**********",
    "COOKIE_EXPIRE_SECONDS": 86400,
    "FRACTAL_RUNNER_BACKEND": "local",
    "FRACTAL_LOGGING_LEVEL": 20,
    "LOG_CONFIG_FILE": None,
    "FRACTAL_API_MAX_JOB_LIST_LENGTH": 25,
    "FRACTAL_GRACEFUL_SHUTDOWN_TIME": 30.0,
    "FRACTAL_HELP_URL": None,
    "FRACTAL_DEFAULT_GROUP_NAME": "All",
    "FRACTAL_LONG_REQUEST_TIME": 30.0,
    "FRACTAL_DISABLE_BASIC_AUTH": "false",
    "FRACTAL_ENABLE_TASK_GROUP_RESET": "false",
}
NO_EMAIL = {
    **dict.fromkeys(f"FRACTAL_EMAIL_{name}" for name in ("SENDER", "PASSWORD", "SMTP_SERVER", "SMTP_PORT")),
    "FRACTAL_EMAIL_INSTANCE_NAME": None,
    "FRACTAL_EMAIL_RECIPIENTS": None,
    "FRACTAL_EMAIL_USE_STARTTLS": "true",
    "FRACTAL_EMAIL_USE_LOGIN": "true",
    "public": None,
}
NO_OAUTH = {
    **dict.fromkeys(f"OAUTH_{name}" for name in ("CLIENT_NAME", "CLIENT_ID", "CLIENT_SECRET", "OIDC_CONFIG_ENDPOINT")),
    "OAUTH_REDIRECT_URL": None,
    "OAUTH_EMAIL_CLAIM": "email",
}


def read(url: str, server: Server, name: str) -> list[tuple[str, object]]:
    """The settings of one group, in the order of the answer."""
    headers = {"authorization": server.admin.http.headers["authorization"]}
    answer = httpx.get(f"{url}/api/settings/{name}/", headers=headers)
    assert answer.status_code == 200, answer.text
    return list(answer.json().items())


def test_settings_are_shown_in_their_order_without_secrets(server: Server) -> None:
    reset = server.environment.get("FRACTAL_ENABLE_TASK_GROUP_RESET", "false")
    assert read(server.url, server, "app") == list((APP | {"FRACTAL_ENABLE_TASK_GROUP_RESET": reset}).items())
    assert read(server.url, server, "email") == list(NO_EMAIL.items())
    assert read(server.url, server, "oauth") == list(NO_OAUTH.items())
    database = read(server.url, server, "database")
    names = ["USER", "PASSWORD", "HOST", "PORT", "DB"]
    assert [name for name, _ in database] == ["DB_ECHO", *(f"POSTGRES_{name}" for name in names)]
    assert dict(database)["POSTGRES_PASSWORD"] == "**********"
    assert dict(database)["POSTGRES_DB"] == server.environment["POSTGRES_DB"]
    server.admin.get("/api/settings/", 404)
    server.admin.get("/api/settings/data/", 404)


def test_what_is_set_is_shown(server: Server) -> None:
    settings = {
        "FRACTAL_HELP_URL": "https://HELP.example.org",
        "FRACTAL_EMAIL_SENDER": "fractal@example.org",
        "FRACTAL_EMAIL_PASSWORD": "hidden",
        "FRACTAL_EMAIL_SMTP_SERVER": "mail.example.org",
        "FRACTAL_EMAIL_SMTP_PORT": "587",
        "FRACTAL_EMAIL_INSTANCE_NAME": "here",
        "FRACTAL_EMAIL_RECIPIENTS": "a@example.org,b@example.org",
        "FRACTAL_EMAIL_USE_STARTTLS": "false",
        # As up to 2.16: any number of providers, each with its name in its variables.
        "OAUTH_GITHUB_CLIENT_ID": "id",
        "OAUTH_GITHUB_CLIENT_SECRET": "hidden",
        "OAUTH_GITHUB_REDIRECT_URL": "https://fractal.example.org/auth/github/callback/",
    }
    with server.replica(**settings) as url:
        assert dict(read(url, server, "app"))["FRACTAL_HELP_URL"] == "https://help.example.org/"
        email = dict(read(url, server, "email"))
        assert email["FRACTAL_EMAIL_PASSWORD"] == "**********"
        assert email["public"] == {
            "sender": "fractal@example.org",
            "recipients": ["a@example.org", "b@example.org"],
            "smtp_server": "mail.example.org",
            "port": 587,
            "password": "**********",
            "instance_name": "here",
            "use_starttls": False,
            "use_login": True,
        }
        assert dict(read(url, server, "oauth")) == NO_OAUTH | {
            "OAUTH_CLIENT_NAME": "github",
            "OAUTH_CLIENT_ID": "**********",
            "OAUTH_CLIENT_SECRET": "**********",
            "OAUTH_REDIRECT_URL": "https://fractal.example.org/auth/github/callback/",
        }


def test_alive_needs_no_database(server: Server, tmp_path: Path) -> None:
    with server.replica(POSTGRES_PORT=str(free_port()), POSTGRES_HOST="127.0.0.1") as url:
        api = Api(url)
        assert api.get("/api/alive/") == {"alive": True, "version": "2.24.2"}
        api.get("/api/settings/app/", 401)
        token = server.admin.http.headers["authorization"]
        answer = api.call("GET", "/api/settings/app/", 503, headers={"authorization": token})
        assert answer == {"detail": "The database is not available, please retry."}
        api.close()


def test_slow_requests_are_logged_in_a_line(server: Server) -> None:
    with server.replica(FRACTAL_LONG_REQUEST_TIME="0") as url:
        httpx.get(f"{url}/api/alive/?x=1&y=%20")
        httpx.get(f"{url}/auth/users/3/")
        httpx.get(f"{url}/nothing/")
    log = (server.folder / "output.log").read_text()
    moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"
    for request, status in [
        (r"GET /(api/)?alive/\?x=1&y=%20", 200),
        (r"GET /(auth/)?users/{user_id}/\?", 401),
        (r"GET /nothing/\?", 404),
    ]:
        line = rf" - slow-response - WARNING - {request}, {status}, \d+\.\d\d, {moment}, {moment}\n"
        assert re.search(line, log), f"{line}\n{log}"
