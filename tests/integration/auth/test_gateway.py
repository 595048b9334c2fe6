"""Behind the gateway: redirects to the name that the browser knows, and the client's address as it is told."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from fractal_server.embedded import binaries
from fractal_server.embedded.caddy import CADDYFILE

from tests.processes import answers, free_port, running, until

from .replicas import PASSWORD, Replicas, login

PUBLIC = "fractal.example.org"
SLASHLESS = ["/auth/users", "/auth/token/login", "/api/settings/app", "/api/v2/project"]


@contextmanager
def gateway(folder: Path, replicas: Replicas, **settings: str) -> Generator[str]:
    """Caddy, with the configuration of the embedded stack and of the containers."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "FRACTAL_LISTEN": "127.0.0.1",
        "FRACTAL_LISTEN_PORT": str(port),
        "FRACTAL_AUTH_SERVERS": " ".join(url.removeprefix("http://") for url in replicas.auth),
        "FRACTAL_JOBS_SERVERS": " ".join(url.removeprefix("http://") for url in replicas.jobs),
        **settings,
    }
    argv = [str(binaries.caddy()), "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
    url = f"http://127.0.0.1:{port}"
    with running(argv, cwd=folder, environment=environment):
        until(lambda: answers(f"{url}/api/alive/"), "the gateway answers")
        yield url


@pytest.fixture(scope="module")
def url(replicas: Replicas, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    with gateway(tmp_path_factory.mktemp("gateway"), replicas) as url:
        yield url


@pytest.mark.parametrize("path", SLASHLESS)
def test_redirects_name_the_host_that_was_asked(url: str, path: str) -> None:
    answer = httpx.get(f"{url}{path}", params={"a": "b"}, headers={"Host": PUBLIC})
    assert (answer.status_code, answer.headers["location"]) == (307, f"http://{PUBLIC}{path}/?a=b")


@pytest.mark.parametrize("path", SLASHLESS)
def test_redirects_keep_the_scheme_of_a_proxy_in_front(url: str, path: str) -> None:
    headers = {"Host": PUBLIC, "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
    answer = httpx.get(f"{url}{path}", headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (307, f"https://{PUBLIC}{path}/")


def test_who_is_no_trusted_proxy_is_not_believed(replicas: Replicas, tmp_path: Path) -> None:
    with gateway(tmp_path, replicas, FRACTAL_TRUSTED_PROXIES="203.0.113.0/24") as url:
        headers = {"Host": PUBLIC, "X-Forwarded-Proto": "https"}
        answer = httpx.get(f"{url}/auth/users", headers=headers)
        assert answer.headers["location"] == f"http://{PUBLIC}/auth/users/"


def test_attempts_are_counted_by_the_address_in_front(replicas: Replicas, url: str) -> None:
    user = replicas.register()
    for _ in range(10):
        assert login(url, user["email"], "wrong horse", "192.0.2.8").status_code == 400
    assert login(url, user["email"], PASSWORD, "192.0.2.8").status_code == 400, "no longer looked at"
    assert login(url, user["email"], PASSWORD, "192.0.2.9").status_code == 200


def test_chunked_bodies_and_cookies_pass_through(replicas: Replicas, url: str) -> None:
    user = replicas.register()
    token = login(url, user["email"], PASSWORD).json()["access_token"]
    headers = {"Cookie": f"fastapiusersauth={token}", "Content-Type": "application/json"}
    body = iter([b'{"slurm_', b'accounts": ', b'["a"]}'])
    answer = httpx.patch(f"{url}/auth/current-user/", content=body, headers=headers)
    assert (answer.status_code, answer.json()["slurm_accounts"]) == (200, ["a"])
