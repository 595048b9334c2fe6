"""Users and groups as responses."""

from collections.abc import Sequence

from fractal_common.database.models import User, UserGroup
from fractal_common.settings import app_settings

from fractal_auth.api.dependencies import Session
from fractal_auth.api.schemas import OAuthAccountRead, UserGroupRead, UserRead
from fractal_auth.queries import groups, users


async def read_users(session: Session, found: Sequence[User]) -> list[UserRead]:
    """Without their groups."""
    accounts = await users.oauth_accounts(session, [user.id for user in found])
    return [
        UserRead(
            id=user.id,
            email=user.email,
            is_active=user.is_active,
            is_superuser=user.is_superuser,
            is_verified=user.is_verified,
            is_guest=user.is_guest,
            oauth_accounts=[OAuthAccountRead.model_validate(account) for account in accounts[user.id]],
            profile_id=user.profile_id,
            project_dirs=user.project_dirs,
            slurm_accounts=user.slurm_accounts,
        )
        for user in found
    ]


async def read_user(session: Session, user: User, *, with_groups: bool) -> UserRead:
    """Groups in the order of joining, the default group first."""
    (read,) = await read_users(session, [user])
    if not with_groups:
        return read
    names = await users.groups(session, user.id)
    default = app_settings().FRACTAL_DEFAULT_GROUP_NAME
    names.sort(key=lambda group: default is None or group[1] != default)
    return read.model_copy(update={"group_ids_names": names})


async def read_groups(session: Session, found: Sequence[UserGroup], *, with_users: bool) -> list[UserGroupRead]:
    members = await groups.members(session, [group.id for group in found]) if with_users else {}
    return [
        UserGroupRead(
            id=group.id,
            name=group.name,
            timestamp_created=group.timestamp_created,
            user_ids=members[group.id] if with_users else None,
        )
        for group in found
    ]
