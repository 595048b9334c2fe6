"""The HTTP application of the auth service."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fractal_common.database.sessions import Database
from fractal_common.http.app import prepare
from fractal_common.settings import NatsSettings, OAuthSettings, app_settings, database_settings, load

from fractal_auth.announcing import Announcer
from fractal_auth.api import current_user, groups, oauth, tokens, users
from fractal_auth.providers import configured


def add_routes(app: FastAPI) -> None:
    """Every route of the service: log-in with a password unless that is turned off, OAuth if a provider is set."""
    routers = [tokens.logout_router, users.router, current_user.router, groups.router]
    if app_settings().FRACTAL_DISABLE_BASIC_AUTH == "false":
        routers.insert(0, tokens.login_router)
    provider = configured(load(OAuthSettings))
    if provider is not None:
        routers.append(oauth.router(provider))
    for router in routers:
        app.include_router(router, prefix="/auth", tags=["Authentication"])


@asynccontextmanager
async def announcing(app: FastAPI, nats: NatsSettings | None = None) -> AsyncGenerator[None]:
    """The bus for the life of the app; it is not waited for. `nats`: as configured if not given."""
    announcer = app.state.announcer = Announcer()
    async with announcer.connected(nats or load(NatsSettings)):
        yield


@asynccontextmanager
async def connections(app: FastAPI) -> AsyncGenerator[None]:
    """Database and bus for the life of the app; neither is waited for."""
    app.state.database = Database.connect(database_settings(), process="fractal-auth")
    try:
        async with announcing(app):
            yield
    finally:
        await app.state.database.close()


def create_app() -> FastAPI:
    """The service alone, as it runs behind a gateway."""
    app = FastAPI(lifespan=connections, openapi_url="/auth/openapi.json", docs_url=None, redoc_url=None)
    add_routes(app)
    return prepare(app, long_request_time_s=app_settings().FRACTAL_LONG_REQUEST_TIME)
