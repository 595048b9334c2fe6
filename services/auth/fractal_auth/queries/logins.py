"""Attempts to log in. Every statement takes the rows in the order of their keys, so that none waits in a circle."""

from collections.abc import Collection
from datetime import timedelta

from fractal_common.database.models import LoginAttempts
from sqlalchemy import case, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

EXPIRED_AT_A_TIME = 100


async def count(session: AsyncSession, keys: Collection[str], *, window_s: int) -> dict[str, int]:
    """One attempt more under each key; how many there are now in the window of each."""
    values = [{"key": key, "attempts": 1, "since": func.now()} for key in sorted(keys)]
    new = insert(LoginAttempts).values(values)
    is_over = LoginAttempts.since < func.now() - timedelta(seconds=window_s)
    statement = new.on_conflict_do_update(
        index_elements=[LoginAttempts.key],
        set_={
            "attempts": case((is_over, 1), else_=LoginAttempts.attempts + 1),
            "since": case((is_over, func.now()), else_=LoginAttempts.since),
        },
    ).returning(LoginAttempts.key, LoginAttempts.attempts)
    return {row[0]: row[1] for row in await session.execute(statement)}


async def succeeded(session: AsyncSession, keys: Collection[str], own: str) -> None:
    """The attempt was none: `own` starts anew, the others lose it."""
    locked = select(LoginAttempts.key).where(LoginAttempts.key.in_(keys)).order_by(LoginAttempts.key).with_for_update()
    remaining = case((LoginAttempts.key == own, 0), else_=func.greatest(LoginAttempts.attempts - 1, 0))
    await session.execute(
        update(LoginAttempts).where(LoginAttempts.key.in_(locked.scalar_subquery())).values(attempts=remaining),
        execution_options={"synchronize_session": False},
    )


async def drop_expired(session: AsyncSession, *, window_s: int) -> None:
    """Some of those that count no longer, and that nobody else holds."""
    expired = (
        select(LoginAttempts.key)
        .where(LoginAttempts.since < func.now() - timedelta(seconds=window_s))
        .limit(EXPIRED_AT_A_TIME)
        .with_for_update(skip_locked=True)
    )
    await session.execute(
        delete(LoginAttempts).where(LoginAttempts.key.in_(expired.scalar_subquery())),
        execution_options={"synchronize_session": False},
    )
