"""NOTIFYs of Postgres."""

from collections.abc import AsyncGenerator, Sequence

import psycopg
from psycopg import sql

from fractal_common.database.sessions import connect_arguments
from fractal_common.settings import DatabaseSettings


async def notifications(
    settings: DatabaseSettings, channels: Sequence[str], *, process: str
) -> AsyncGenerator[tuple[str, str] | None]:
    """Channel and payload of each, on a connection of its own, until that is lost.

    The first item is None: from then on nothing is missed, so whoever waits should look now.

    Raises:
        psycopg.OperationalError: no connection, or no longer.
    """
    url = settings.url
    connection = await psycopg.AsyncConnection.connect(
        host=settings.POSTGRES_HOST,
        port=settings.POSTGRES_PORT,
        user=url.username,
        password=url.password,
        dbname=url.database,
        autocommit=True,
        **connect_arguments(process),
    )
    async with connection:
        for channel in channels:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        yield None
        async for notification in connection.notifies():
            yield notification.channel, notification.payload
