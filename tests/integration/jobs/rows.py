"""Rows that the tests of this folder begin with."""

from fractal_common.database.models import Profile, Resource, User
from sqlalchemy.ext.asyncio import AsyncSession


async def first_rows(session: AsyncSession) -> None:
    """A superuser with a profile."""
    session.add(
        Resource(
            id=1,
            name="here",
            type="local",
            jobs_local_dir="/jobs",
            tasks_local_dir="/tasks",
            jobs_poll_interval=5,
            jobs_runner_config={"parallel_tasks_per_job": None},
            tasks_python_config={"default_version": "3.12", "versions": {"3.12": "/python"}, "pip_cache_dir": None},
            tasks_pixi_config={},
        )
    )
    await session.flush()
    session.add(Profile(id=1, name="me", resource_id=1, resource_type="local"))
    await session.flush()
    flags = {"is_superuser": True, "is_verified": True, "is_active": True}
    session.add(User(id=1, email="me@example.org", hashed_password="", profile_id=1, project_dirs=["/me"], **flags))
