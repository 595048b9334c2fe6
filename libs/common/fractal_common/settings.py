"""Configuration: process environment first, then `.fractal_server.env` in the working directory, then a container's
secret files, then defaults.

Four groups are read independently, so that a command needs only what it uses. Names, types and defaults are those
of the public documentation; the `NATS` and agent variables are this server's own.
"""

import os
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from dotenv import dotenv_values
from pydantic import AfterValidator, Field, HttpUrl, SecretStr, StringConstraints, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL

ENV_FILE = ".fractal_server.env"
SECRETS_DIR = Path("/run/secrets")
"""A container's secrets: one file a variable, read where neither environment nor file names it."""

NonEmpty = Annotated[str, StringConstraints(min_length=1)]
Flag = Literal["true", "false"]


class ConfigurationError(Exception):
    """A setting is missing or invalid; the message is one line that names the variable."""


class SettingsGroup(BaseSettings):
    """Base of all groups."""

    model_config = SettingsConfigDict(
        case_sensitive=True,
        env_file=ENV_FILE,
        secrets_dir=SECRETS_DIR if SECRETS_DIR.is_dir() else None,
        extra="ignore",
        frozen=True,
    )


Group = TypeVar("Group", bound=SettingsGroup)


class DatabaseSettings(SettingsGroup):
    """Where Postgres is. `POSTGRES_HOST` may be the directory of a Unix socket."""

    DB_ECHO: Flag = "false"
    POSTGRES_USER: NonEmpty | None = None
    POSTGRES_PASSWORD: SecretStr | None = None
    POSTGRES_HOST: NonEmpty = "localhost"
    POSTGRES_PORT: Annotated[int, Field(ge=0)] = 5432
    POSTGRES_DB: NonEmpty

    @property
    def url(self) -> URL:
        """SQLAlchemy URL of the psycopg driver, for synchronous and asynchronous engines alike."""
        host_is_socket = self.POSTGRES_HOST.startswith("/")
        return URL.create(
            "postgresql+psycopg",
            username=self.POSTGRES_USER,
            password=self.POSTGRES_PASSWORD.get_secret_value() if self.POSTGRES_PASSWORD else None,
            host=None if host_is_socket else self.POSTGRES_HOST,
            port=self.POSTGRES_PORT,
            database=self.POSTGRES_DB,
            query={"host": self.POSTGRES_HOST} if host_is_socket else {},
        )


class AppSettings(SettingsGroup):
    """Behaviour of the HTTP services. The order of the fields is that of `GET /api/settings/app/`."""

    JWT_EXPIRE_SECONDS: int = 180
    JWT_SECRET_KEY: SecretStr
    COOKIE_EXPIRE_SECONDS: int = 86400
    FRACTAL_RUNNER_BACKEND: Literal["local", "slurm_sudo", "slurm_ssh"] = "local"
    FRACTAL_LOGGING_LEVEL: int = 20
    LOG_CONFIG_FILE: str | None = None
    FRACTAL_API_MAX_JOB_LIST_LENGTH: int = 25
    FRACTAL_GRACEFUL_SHUTDOWN_TIME: float = 30.0
    FRACTAL_HELP_URL: HttpUrl | None = None
    FRACTAL_DEFAULT_GROUP_NAME: Literal["All"] | None = None
    FRACTAL_LONG_REQUEST_TIME: float = 30.0
    FRACTAL_DISABLE_BASIC_AUTH: Flag = "false"
    FRACTAL_ENABLE_TASK_GROUP_RESET: Flag = "false"


class EmailSettings(SettingsGroup):
    """Outgoing mail: all of sender, server, port, instance name and recipients, or none."""

    FRACTAL_EMAIL_SENDER: str | None = None
    FRACTAL_EMAIL_PASSWORD: SecretStr | None = None
    FRACTAL_EMAIL_SMTP_SERVER: str | None = None
    FRACTAL_EMAIL_SMTP_PORT: int | None = None
    FRACTAL_EMAIL_INSTANCE_NAME: str | None = None
    FRACTAL_EMAIL_RECIPIENTS: str | None = None
    FRACTAL_EMAIL_USE_STARTTLS: Flag = "true"
    FRACTAL_EMAIL_USE_LOGIN: Flag = "true"


class OAuthSettings(SettingsGroup):
    """The one OAuth/OIDC provider of an instance."""

    OAUTH_CLIENT_NAME: Annotated[str, StringConstraints(min_length=1, to_lower=True)] | None = None
    OAUTH_CLIENT_ID: SecretStr | None = None
    OAUTH_CLIENT_SECRET: SecretStr | None = None
    OAUTH_OIDC_CONFIG_ENDPOINT: SecretStr | None = None
    OAUTH_REDIRECT_URL: str | None = None
    OAUTH_EMAIL_CLAIM: str = "email"


class NatsSettings(SettingsGroup):
    """Where NATS is and as whom to connect."""

    FRACTAL_NATS_URL: NonEmpty = "nats://127.0.0.1:4222"
    FRACTAL_NATS_USER: NonEmpty | None = None
    FRACTAL_NATS_PASSWORD: SecretStr | None = None


class DirectorySettings(SettingsGroup):
    """Directories of the default resource, and roots to which an agent is confined."""

    FRACTAL_TASKS_DIR: Annotated[Path, AfterValidator(Path.absolute)] | None = None
    FRACTAL_RUNNER_WORKING_BASE_DIR: Annotated[Path, AfterValidator(Path.absolute)] | None = None


class RetentionSettings(SettingsGroup):
    """How long the engine keeps what nobody needs any more, in days."""

    FRACTAL_OUTBOX_KEEP_DAYS: Annotated[float, Field(gt=0)] = 1 / 24
    FRACTAL_JOB_EVENTS_KEEP_DAYS: Annotated[float, Field(gt=0)] = 7
    FRACTAL_PARKED_MESSAGES_KEEP_DAYS: Annotated[float, Field(gt=0)] = 90


class JobsApiSettings(SettingsGroup):
    """Own settings of the jobs api."""

    FRACTAL_AUTH_URL: str | None = None
    """Base URL at which the auth service answers, to merge its OpenAPI document; unset when auth is in this process."""
    FRACTAL_PACKAGE_INDEX_URL: str | None = None
    """Simple index asked for package versions at collection; unset: the index that pip is configured with."""


def load(group: type[Group]) -> Group:
    """Read one group.

    Raises:
        ConfigurationError: naming the first offending variable and what is wrong with it.
    """
    try:
        return group()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else group.__name__
        raise ConfigurationError(f"{name}: {first['msg']} (environment or {ENV_FILE})") from None


def given_variables() -> set[str]:
    """Names of all variables in the environment and in the settings file."""
    return {*os.environ, *dotenv_values(ENV_FILE)}


@cache
def database_settings() -> DatabaseSettings:
    return load(DatabaseSettings)


@cache
def app_settings() -> AppSettings:
    return load(AppSettings)
