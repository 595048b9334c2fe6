"""No two task groups of one owner, nor of one user group, hold the same package and version."""

from fastapi import HTTPException

from fractal_jobs.api.principals import Principal
from fractal_jobs.api.transactions import Session
from fractal_jobs.queries import tasks


async def check(
    session: Session, principal: Principal, resource_id: int, pkg_name: str, version: str, user_group_id: int | None
) -> None:
    """Raises 422 that names who has it already."""
    await tasks.lock_package(session, pkg_name, version)
    owned = await tasks.owned_duplicate(session, principal.id, resource_id, pkg_name, version)
    if owned is not None:
        raise HTTPException(
            422,
            f"User '{principal.user.email}' already owns a task group with name='{pkg_name}' and version='{version}'."
            + await _note(session, owned),
        )
    await check_shared(session, pkg_name, version, user_group_id)


async def check_shared(session: Session, pkg_name: str, version: str, user_group_id: int | None) -> None:
    await tasks.lock_package(session, pkg_name, version)
    shared = None if user_group_id is None else await tasks.shared_duplicate(session, user_group_id, pkg_name, version)
    if shared is not None:
        raise HTTPException(
            422,
            f"UserGroup {shared[1]} already owns a task group with pkg_name='{pkg_name}' and version='{version}'."
            + await _note(session, shared[0]),
        )


async def _note(session: Session, group_id: int) -> str:
    activity = await tasks.collect_activity(session, group_id)
    if activity is None:
        return ""
    return (
        f"\nNote: There exists another task-group collection (activity ID={activity.id}) "
        f"for this task group (ID={group_id}), with status '{activity.status}'."
    )
