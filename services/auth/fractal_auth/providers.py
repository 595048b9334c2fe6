"""The OAuth provider of an instance: Google, GitHub, or any OpenID provider that publishes its configuration."""

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx
from fractal_common.settings import OAuthSettings
from fractal_common.telemetry import get_logger
from httpx_oauth.clients.github import GitHubOAuth2
from httpx_oauth.clients.google import GoogleOAuth2
from httpx_oauth.clients.openid import OpenID
from httpx_oauth.exceptions import GetProfileError
from httpx_oauth.oauth2 import BaseOAuth2, GetAccessTokenError, OAuth2RequestError

log = get_logger(__name__)


class ProviderError(Exception):
    """What went wrong with the provider, in words that may be shown."""


class ProviderUnavailable(ProviderError):
    """It could not be asked; another time it may be."""


class ProviderRefusal(ProviderError):
    """It was asked and said no: the code is not good."""


@dataclass(frozen=True)
class Tokens:
    """The provider's, as they are kept with the account."""

    access_token: str
    expires_at: int | None
    refresh_token: str | None


@dataclass(frozen=True)
class Identity:
    """Who the provider says it is."""

    account_id: str
    email: str | None


class Provider:
    """One provider by its settings, which are whole. OpenID providers are discovered when first needed."""

    def __init__(self, settings: OAuthSettings) -> None:
        name, client_id, secret = settings.OAUTH_CLIENT_NAME, settings.OAUTH_CLIENT_ID, settings.OAUTH_CLIENT_SECRET
        assert name is not None
        assert client_id is not None
        assert secret is not None
        self.name = name
        """Its segment of the URL."""
        self.redirect_url = settings.OAUTH_REDIRECT_URL
        self._credentials = client_id.get_secret_value(), secret.get_secret_value()
        self._settings = settings
        self._client: BaseOAuth2[Any] | None = None
        self._making = asyncio.Lock()

    @property
    def oauth_name(self) -> str:
        """Under which accounts are kept: every OpenID provider is `openid`, whatever it is called in the URL."""
        return self.name if self.name in ("google", "github") else "openid"

    async def client(self) -> BaseOAuth2[Any]:
        """Raises ProviderUnavailable if the provider's configuration cannot be had."""
        async with self._making:
            if self._client is None:
                self._client = await self._make_client()
            return self._client

    async def _make_client(self) -> BaseOAuth2[Any]:
        if self.name == "google":
            return GoogleOAuth2(*self._credentials)
        if self.name == "github":
            return GitHubOAuth2(*self._credentials)
        assert self._settings.OAUTH_OIDC_CONFIG_ENDPOINT is not None
        endpoint = self._settings.OAUTH_OIDC_CONFIG_ENDPOINT.get_secret_value()
        try:
            return await asyncio.to_thread(OpenID, *self._credentials, endpoint)
        except (OAuth2RequestError, ValueError, TypeError, LookupError, httpx.InvalidURL) as error:
            # Missing or unusable entries of the document are a LookupError, what is not JSON a ValueError.
            log.error("oauth.discovery_failed", endpoint=endpoint, error=repr(error))
            raise ProviderUnavailable(
                "Cannot initialize OpenID client. Hint: is OAUTH_OIDC_CONFIG_ENDPOINT reachable?"
            ) from error

    async def authorization_url(self, redirect_uri: str, state: str, scopes: list[str] | None) -> str:
        """Where the browser is to go; raises ProviderUnavailable."""
        return await (await self.client()).get_authorization_url(redirect_uri, state, scopes)

    async def exchange(self, code: str, redirect_uri: str, code_verifier: str | None) -> Tokens:
        """Spend a code.

        Raises:
            ProviderRefusal, ProviderUnavailable
        """
        client = await self.client()
        try:
            answer = await client.get_access_token(code, redirect_uri, code_verifier)
        except GetAccessTokenError as error:
            raise _failure("did not accept the authorization code", error.response) from error
        except (ValueError, TypeError) as error:
            raise ProviderUnavailable("The provider answered with something that is not a token.") from error
        if not isinstance(answer.get("access_token"), str):  # GitHub says no with status 200
            raise ProviderRefusal(f"The provider did not accept the authorization code: {answer.get('error')}.")
        return Tokens(answer["access_token"], answer.get("expires_at"), answer.get("refresh_token"))

    async def identity(self, access_token: str) -> Identity:
        """Who the token belongs to.

        Raises:
            ProviderRefusal, ProviderUnavailable
        """
        client = await self.client()
        try:
            if isinstance(client, OpenID):
                profile = await client.get_profile(access_token)
                email = profile.get(self._settings.OAUTH_EMAIL_CLAIM)
                return Identity(str(profile["sub"]), email if isinstance(email, str) else None)
            return Identity(*await client.get_id_email(access_token))
        except GetProfileError as error:
            raise _failure("did not say who logged in", error.response) from error
        except (httpx.HTTPError, ValueError, LookupError) as error:
            log.error("oauth.profile_failed", error=repr(error))
            raise ProviderUnavailable("The provider did not say who logged in.") from error


def _failure(what: str, response: httpx.Response | None) -> ProviderError:
    """The provider's own error code, where it gives one; never its URL or the request."""
    if response is None:
        return ProviderUnavailable("The provider cannot be reached.")
    try:
        reason = response.json().get("error")
    except (ValueError, AttributeError):
        reason = None
    text = f"The provider {what}: {reason if isinstance(reason, str) else f'status {response.status_code}'}."
    log.warning("oauth.provider_error", status=response.status_code, reason=reason)
    return ProviderRefusal(text) if 400 <= response.status_code < 500 else ProviderUnavailable(text)


def configured(settings: OAuthSettings) -> Provider | None:
    """None if log-in with a password is all there is."""
    needed = settings.OAUTH_CLIENT_NAME, settings.OAUTH_CLIENT_ID, settings.OAUTH_CLIENT_SECRET
    return None if None in needed else Provider(settings)
