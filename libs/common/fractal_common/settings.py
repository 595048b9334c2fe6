"""Configuration: process environment first, then `.fractal_server.env` in the working directory, then a container's
secret files, then defaults.

Four groups are read independently, so that a command needs only what it uses. Names, types and defaults are those
of the public documentation; the `NATS` and agent variables are this server's own.
"""

import os
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    EmailStr,
    Field,
    HttpUrl,
    SecretStr,
    StringConstraints,
    ValidationError,
    computed_field,
    model_validator,
    validate_email,
)
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from sqlalchemy import URL

from fractal_common import earlier
from fractal_common.types.enums import ResourceType

ENV_FILE = ".fractal_server.env"
SECRETS_DIR = Path("/run/secrets")
"""A container's secrets: one file a variable, read where neither environment nor file names it."""

NonEmpty = Annotated[str, StringConstraints(min_length=1)]
Flag = Literal["true", "false"]


class ConfigurationError(Exception):
    """A setting is missing or invalid; the message is one line that names the variable."""


def _addresses(value: str) -> str:
    """E-mail addresses between commas."""
    for address in value.split(","):
        validate_email(address.strip())
    return value


class SettingsGroup(BaseSettings):
    """Base of all groups."""

    model_config = SettingsConfigDict(
        case_sensitive=True,
        env_file=ENV_FILE,
        secrets_dir=SECRETS_DIR if SECRETS_DIR.is_dir() else None,
        extra="ignore",
        frozen=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Names of earlier releases come last."""
        old_names = InitSettingsSource(settings_cls, earlier.renamed(given_values()))
        return init_settings, env_settings, dotenv_settings, file_secret_settings, old_names


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
    JWT_SECRET_KEY: Annotated[SecretStr, Field(min_length=1)]
    COOKIE_EXPIRE_SECONDS: int = 86400
    FRACTAL_RUNNER_BACKEND: Annotated[ResourceType, BeforeValidator(earlier.backend)] = ResourceType.LOCAL
    FRACTAL_LOGGING_LEVEL: int = 20
    LOG_CONFIG_FILE: str | None = None
    FRACTAL_API_MAX_JOB_LIST_LENGTH: int = 25
    FRACTAL_GRACEFUL_SHUTDOWN_TIME: Annotated[float, Field(ge=0)] = 30.0
    FRACTAL_HELP_URL: HttpUrl | None = None
    FRACTAL_DEFAULT_GROUP_NAME: Literal["All"] | None = None
    FRACTAL_LONG_REQUEST_TIME: float = 30.0
    FRACTAL_DISABLE_BASIC_AUTH: Flag = "false"
    FRACTAL_ENABLE_TASK_GROUP_RESET: Flag = "false"


class LoginSettings(SettingsGroup):
    """How many attempts to log in with a password are looked at in five minutes."""

    FRACTAL_LOGIN_ATTEMPTS_PER_ACCOUNT: Annotated[int, Field(gt=0)] = 10
    """For one account from one address; from all addresses together five times as many."""
    FRACTAL_LOGIN_ATTEMPTS_PER_ADDRESS: Annotated[int, Field(gt=0)] = 300
    """From one address, which may be that of a web server with many users."""


class MailServer(BaseModel):
    """How sign-up notifications leave the instance."""

    sender: str
    recipients: list[str]
    smtp_server: str
    port: int
    password: SecretStr | None
    instance_name: str
    use_starttls: bool
    use_login: bool


class EmailSettings(SettingsGroup):
    """Outgoing mail: all of sender, server, port, instance name and recipients, or none."""

    FRACTAL_EMAIL_SENDER: EmailStr | None = None
    FRACTAL_EMAIL_PASSWORD: SecretStr | None = None
    FRACTAL_EMAIL_SMTP_SERVER: str | None = None
    FRACTAL_EMAIL_SMTP_PORT: int | None = None
    FRACTAL_EMAIL_INSTANCE_NAME: str | None = None
    FRACTAL_EMAIL_RECIPIENTS: Annotated[str, AfterValidator(_addresses)] | None = None
    FRACTAL_EMAIL_USE_STARTTLS: Flag = "true"
    FRACTAL_EMAIL_USE_LOGIN: Flag = "true"

    @model_validator(mode="after")
    def _all_or_nothing(self) -> Self:
        needed = ("SENDER", "SMTP_SERVER", "SMTP_PORT", "INSTANCE_NAME", "RECIPIENTS")
        missing = [f"FRACTAL_EMAIL_{name}" for name in needed if getattr(self, f"FRACTAL_EMAIL_{name}") is None]
        if 0 < len(missing) < len(needed):
            raise ValueError(f"Invalid FRACTAL_EMAIL configuration: {', '.join(missing)} must be set as well.")
        if not missing and self.FRACTAL_EMAIL_USE_LOGIN == "true" and self.FRACTAL_EMAIL_PASSWORD is None:
            raise ValueError("'FRACTAL_EMAIL_USE_LOGIN' is 'true' but 'FRACTAL_EMAIL_PASSWORD' is not provided.")
        return self

    @computed_field
    @property
    def public(self) -> MailServer | None:
        """None if the instance sends no mail."""
        sender, server, port = self.FRACTAL_EMAIL_SENDER, self.FRACTAL_EMAIL_SMTP_SERVER, self.FRACTAL_EMAIL_SMTP_PORT
        instance, recipients = self.FRACTAL_EMAIL_INSTANCE_NAME, self.FRACTAL_EMAIL_RECIPIENTS
        if sender is None or server is None or port is None or instance is None or recipients is None:
            return None
        return MailServer(
            sender=sender,
            recipients=[one.strip() for one in recipients.split(",")],
            smtp_server=server,
            port=port,
            password=self.FRACTAL_EMAIL_PASSWORD,
            instance_name=instance,
            use_starttls=self.FRACTAL_EMAIL_USE_STARTTLS == "true",
            use_login=self.FRACTAL_EMAIL_USE_LOGIN == "true",
        )


class OAuthSettings(SettingsGroup):
    """The one OAuth/OIDC provider of an instance."""

    OAUTH_CLIENT_NAME: Annotated[str, StringConstraints(min_length=1, to_lower=True)] | None = None
    OAUTH_CLIENT_ID: SecretStr | None = None
    OAUTH_CLIENT_SECRET: SecretStr | None = None
    OAUTH_OIDC_CONFIG_ENDPOINT: SecretStr | None = None
    OAUTH_REDIRECT_URL: str | None = None
    OAUTH_EMAIL_CLAIM: str = "email"

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.OAUTH_CLIENT_NAME is None:
            return self
        needed = ["OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET"]
        if self.OAUTH_CLIENT_NAME not in ("google", "github"):
            needed.append("OAUTH_OIDC_CONFIG_ENDPOINT")
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(f"{', '.join(missing)} must be set with OAUTH_CLIENT_NAME='{self.OAUTH_CLIENT_NAME}'.")
        return self


class LoggingSettings(SettingsGroup):
    """What of the log is shown, and where."""

    FRACTAL_LOGGING_LEVEL: int = 20
    LOG_CONFIG_FILE: str | None = None


class ServingSettings(SettingsGroup):
    """How a server ends."""

    FRACTAL_GRACEFUL_SHUTDOWN_TIME: Annotated[float, Field(ge=0)] = 30.0
    """Seconds for open requests and streams to end after SIGTERM; jobs run elsewhere and do not notice."""


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
        first = error.errors(include_url=False)[0]
        text = first["msg"].removeprefix("Value error, ")
        # Checks of several variables together name them in their text.
        named = f"{first['loc'][0]}: {text}" if first["loc"] else text
        raise ConfigurationError(f"{named} (environment or {ENV_FILE})") from None


def given_values() -> dict[str, str]:
    """All variables of the environment and of the settings file."""
    from_file = {name: value for name, value in dotenv_values(ENV_FILE).items() if value is not None}
    return from_file | dict(os.environ)


def given_variables() -> set[str]:
    """Their names."""
    return {*os.environ, *dotenv_values(ENV_FILE)}


@cache
def database_settings() -> DatabaseSettings:
    return load(DatabaseSettings)


@cache
def app_settings() -> AppSettings:
    return load(AppSettings)


@cache
def email_settings() -> EmailSettings:
    return load(EmailSettings)


@cache
def oauth_settings() -> OAuthSettings:
    return load(OAuthSettings)
