"""A real OpenID provider (canaille, from PyPI, in an environment of its own) and a browser that logs in to it."""

import json
import os
import re
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.processes import answers, free_port, running, until

ROOT = Path(__file__).parents[3]
CANAILLE = ROOT / ".venv-oidc" / "bin" / "canaille"
CLIENT_ID, CLIENT_SECRET = "fractal", "a secret of the client"
PASSWORD = "a password at the provider"
MAX_STEPS = 10
APART_S = 1.1

CONFIGURATION = """\
SECRET_KEY = "a secret of the provider"
SERVER_NAME = "127.0.0.1:{port}"
PREFERRED_URL_SCHEME = "http"
[CANAILLE]
DATABASE = "sql"
TIMEZONE = "UTC"
[CANAILLE_SQL]
DATABASE_URI = "sqlite:///{folder}/provider.sqlite"
[CANAILLE_OIDC]
REQUIRE_NONCE = false
ACTIVE_JWKS = [{{ {key} }}]
"""


@dataclass(frozen=True)
class OpenIDProvider:
    url: str
    folder: Path

    @property
    def configuration_url(self) -> str:
        return f"{self.url}/.well-known/openid-configuration"

    def manage(self, *arguments: str) -> str:
        return _canaille(self.folder, *arguments)

    def add_user(self, name: str, email: str | None = None, *options: str) -> None:
        addresses = ["--emails", email] if email else []
        fixed = ["--user-name", name, "--family-name", name, "--password", PASSWORD]
        self.manage("create", "user", *fixed, *addresses, *options)

    def add_client(self, *redirect_uris: str, method: str = "client_secret_basic") -> None:
        """A client on this host, which is why nobody is asked for consent."""
        options = [part for uri in redirect_uris for part in ("--redirect-uris", uri)]
        options += ["--client-id", CLIENT_ID, "--client-secret", CLIENT_SECRET, "--client-name", "Fractal"]
        options += ["--client-uri", "http://127.0.0.1", "--token-endpoint-auth-method", method]
        options += ["--grant-types", "authorization_code", "--response-types", "code"]
        self.manage("create", "client", *options, "--scope", "openid", "--scope", "email", "--scope", "profile")

    def log_in(self, authorization_url: str, user: str, back_to: str) -> dict[str, str]:
        """Follow the provider's pages with a new browser; the query with which it is sent `back_to`.

        Not twice within a second: tokens of one user that the provider issues in the same second are the same.
        """
        time.sleep(APART_S)
        answer_to = {"login": user, "password": PASSWORD}
        with httpx.Client(base_url=self.url, timeout=30) as browser:
            page = browser.get(authorization_url)
            for _ in range(MAX_STEPS):
                if page.is_redirect:
                    target = page.headers["location"]
                    if target.startswith(back_to):
                        return {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
                    page = browser.get(target)
                    continue
                fields = dict(re.findall(r'<input[^>]*name="(\w+)"[^>]*value="([^"]*)"', page.text))
                assert fields.keys() & answer_to.keys(), f"{page.status_code} {page.url}: {page.text[:2000]}"
                page = browser.post(page.url, data=fields | {k: v for k, v in answer_to.items() if k in fields})
        raise AssertionError(f"not sent back after {MAX_STEPS} steps: {page.url}")


@contextmanager
def openid_provider(folder: Path) -> Generator[OpenIDProvider]:
    subprocess.run(["make", "--silent", ".venv-oidc/.installed"], cwd=ROOT, check=True, timeout=600)
    port = free_port()
    key = json.loads(_canaille(folder, "jwk", "create", "rsa"))
    items = ", ".join(f'{name} = "{value}"' for name, value in key.items() if isinstance(value, str))
    (folder / "canaille.toml").write_text(CONFIGURATION.format(port=port, folder=folder, key=items))
    _canaille(folder, "install")
    url = f"http://127.0.0.1:{port}"
    argv = [str(CANAILLE), "run", "--bind", f"127.0.0.1:{port}"]
    with running(argv, cwd=folder, environment=_environment(folder)):
        until(lambda: answers(f"{url}/.well-known/openid-configuration"), "the provider answers", timeout_s=60)
        yield OpenIDProvider(url, folder)


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "CANAILLE_CONFIG": str(folder / "canaille.toml")}


def _canaille(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [str(CANAILLE), *arguments],
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, f"canaille {arguments}: {done.stdout} {done.stderr}"
    return done.stdout
