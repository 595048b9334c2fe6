"""Accounts at the provider, and whose they are."""

from fractal_common.database.models import OAuthAccount, User
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession


async def linked(session: AsyncSession, oauth_name: str, account_id: str) -> tuple[OAuthAccount, User] | None:
    """Nobody else links the same account before this transaction ends."""
    lock = func.hashtextextended(f"{oauth_name} {account_id}", 0)
    await session.execute(select(func.pg_advisory_xact_lock(lock)))
    statement = (
        select(OAuthAccount, User)
        .join(User, User.id == OAuthAccount.user_id)
        .where(OAuthAccount.oauth_name == oauth_name, OAuthAccount.account_id == account_id)
        .order_by(OAuthAccount.id)
        .limit(1)
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else (row[0], row[1])
