"""What a path or a setting names, or the contract's 404."""

from fastapi import HTTPException
from fractal_common.database.models import User, UserGroup
from fractal_common.settings import app_settings

from fractal_auth.api.dependencies import Session
from fractal_auth.queries import groups, users

MAX_ID = 2**31 - 1
"""Of an id column: larger numbers name nothing."""


async def existing_user(session: Session, user_id: int, *, to_change: bool = False) -> User:
    """`to_change` locks the row, so that what is checked still holds when it is written."""
    user = await users.get(session, user_id, lock=to_change) if abs(user_id) <= MAX_ID else None
    if user is None:
        raise HTTPException(404, f"User {user_id} not found.")
    return user


async def existing_group(session: Session, group_id: int) -> UserGroup:
    group = await groups.get(session, group_id) if abs(group_id) <= MAX_ID else None
    if group is None:
        raise HTTPException(404, f"UserGroup {group_id} not found.")
    return group


async def default_group_id(session: Session) -> int | None:
    """None without a default group; 404 if it is configured but was not created."""
    name = app_settings().FRACTAL_DEFAULT_GROUP_NAME
    if name is None:
        return None
    group = await groups.by_name(session, name)
    if group is None:
        raise HTTPException(404, [f"User group '{name}' not found."])
    return group.id
