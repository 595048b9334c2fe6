"""`/auth/{client}/authorize/` and `/auth/{client}/callback/`, for the one provider that is configured."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from fractal_common.database.models import OAuthAccount, User
from fractal_common.http.app import QUERY_NOT_LOGGED
from fractal_common.security import COOKIE_NAME, issue_token
from fractal_common.settings import app_settings
from fractal_common.telemetry import get_logger

from fractal_auth.api.dependencies import Session
from fractal_auth.api.schemas import AuthorizationResponse, ErrorModel
from fractal_auth.domain import oauthstate
from fractal_auth.mail import notify
from fractal_auth.providers import Identity, Provider, ProviderError, ProviderRefusal, Tokens
from fractal_auth.queries import oauth, users

log = get_logger(__name__)


def router(provider: Provider) -> APIRouter:
    routes = APIRouter(prefix=f"/{provider.name}")
    name = f"oauth:{provider.oauth_name}.callback"

    def redirect_uri(request: Request) -> str:
        return provider.redirect_url or str(request.url_for(name))

    @routes.get("/authorize/", response_model=AuthorizationResponse, name=f"oauth:{provider.oauth_name}.authorize")
    async def authorize(
        request: Request, response: Response, scopes: Annotated[list[str] | None, Query()] = None
    ) -> object:
        csrf_token = oauthstate.new_csrf_token()
        state = oauthstate.issue_state(csrf_token, key=_key())
        try:
            url = await provider.authorization_url(redirect_uri(request), state, scopes)
        except ProviderError as error:
            raise _refused(error) from None
        response.set_cookie(
            oauthstate.COOKIE_NAME,
            csrf_token,
            max_age=oauthstate.LIFETIME_S,
            path="/",
            secure=True,
            httponly=True,
            samesite="lax",
        )
        return AuthorizationResponse(authorization_url=url)

    @routes.get(
        "/callback/", status_code=204, response_class=Response, name=name, responses={400: {"model": ErrorModel}}
    )
    async def callback(
        request: Request,
        session: Session,
        code: str | None = None,
        state: str | None = None,
        error: str | None = None,
        code_verifier: str | None = None,
    ) -> Response:
        """In the contract's order: the code is spent before the state is looked at."""
        setattr(request.state, QUERY_NOT_LOGGED, True)
        if code is None or error is not None:
            raise HTTPException(400, error or "Bad Request")
        try:
            tokens = await provider.exchange(code, redirect_uri(request), code_verifier)
            oauthstate.check_state(state, request.cookies.get(oauthstate.COOKIE_NAME), key=_key())
            identity = await provider.identity(tokens.access_token)
        except oauthstate.InvalidState as invalid:
            raise HTTPException(400, str(invalid)) from None
        except ProviderError as failed:
            raise _refused(failed) from None
        if not identity.email:
            raise HTTPException(400, "OAUTH_NOT_AVAILABLE_EMAIL")
        user = await _resolve(session, provider.oauth_name, identity, identity.email, tokens)
        if user is None:
            await session.rollback()
            raise await _unknown(identity.email)
        if not user.is_active:
            # An answer and no exception: the account that has just been linked stays so.
            return JSONResponse({"detail": "LOGIN_BAD_CREDENTIALS"}, status_code=400)
        return _logged_in(user)

    return routes


def _key() -> str:
    return app_settings().JWT_SECRET_KEY.get_secret_value()


def _refused(error: ProviderError) -> HTTPException:
    return HTTPException(400 if isinstance(error, ProviderRefusal) else 503, str(error))


def _logged_in(user: User) -> Response:
    """A session cookie: the front-end takes the token from it, and its end from the token."""
    response = Response(status_code=204)
    token = issue_token(user.id, key=_key(), lifetime_s=app_settings().COOKIE_EXPIRE_SECONDS)
    response.set_cookie(COOKIE_NAME, token, path="/", secure=True, httponly=True, samesite="none")
    return response


async def _resolve(session: Session, oauth_name: str, identity: Identity, email: str, tokens: Tokens) -> User | None:
    """The user of the provider's account, by an earlier link or else by the e-mail address; nobody is created."""
    found = await oauth.linked(session, oauth_name, identity.account_id)
    if found is not None:
        account, user = found
    else:
        user = await users.by_email(session, email)
        if user is None:
            return None
        account = OAuthAccount(user_id=user.id, oauth_name=oauth_name, account_id=identity.account_id)
        session.add(account)
    account.account_email = email
    account.access_token = tokens.access_token
    account.expires_at = tokens.expires_at
    account.refresh_token = tokens.refresh_token
    await session.flush()
    return user


async def _unknown(email: str) -> HTTPException:
    """Administrators are told, and may create the account; what the person reads does not depend on that."""
    log.warning("oauth.self_registration", email=email)
    text = (
        "Thank you for registering for the Fractal service. Administrators have been informed to configure your "
        "account and will get back to you."
    )
    help_url = app_settings().FRACTAL_HELP_URL
    if help_url is not None:
        text += f"\nYou can find more information about the onboarding process at {help_url}."
    await notify(
        "New OAuth self-registration",
        f"User '{email}' tried to self-register through OAuth.\n"
        "Please create their account by hand, if they are to have one.\n"
        "This is what they were shown:\n\n"
        f"{text}\n",
    )
    return HTTPException(400, text)
