"""What the command line needs besides HTTP: the default group and the first administrator."""

from fractal_common.database.models import User, UserGroup
from sqlalchemy.ext.asyncio import AsyncSession

from fractal_auth.domain.passwords import check_length, hash_password
from fractal_auth.queries import groups, users


async def ensure_group(session: AsyncSession, name: str) -> bool:
    """True if the group had to be created."""
    if await groups.by_name(session, name) is not None:
        return False
    session.add(UserGroup(name=name))
    await session.flush()
    return True


async def create_admin(
    session: AsyncSession, *, email: str, password: str, project_dir: str, default_group: str | None
) -> str | None:
    """Create a verified superuser, unless there is a superuser or the e-mail is taken: then says why not.

    Raises:
        InvalidPassword: too short or too long.
    """
    existing = await users.any_superuser(session)
    if existing is not None:
        return f"'{existing}' superuser already exists, skip creation of '{email}'"
    if await users.by_email(session, email) is not None:
        return f"User '{email}' already exists"
    check_length(password)
    user = User(
        email=email,
        hashed_password=await hash_password(password),
        is_active=True,
        is_superuser=True,
        is_verified=True,
        is_guest=False,
        project_dirs=[project_dir],
        slurm_accounts=[],
    )
    session.add(user)
    await session.flush()
    group = await groups.by_name(session, default_group) if default_group else None
    if group is not None:
        await groups.add_members(session, [group.id], user.id)
    return None
