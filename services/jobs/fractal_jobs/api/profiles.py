"""The caller's resource and profile, checked again against their schemas before work is accepted."""

from typing import Any

from fastapi import HTTPException
from fractal_common.database.models import Profile, Resource
from pydantic import ValidationError

from fractal_jobs.api.principals import Principal
from fractal_jobs.api.schemas.compute import profile_adapter, resource_adapter


def validated(principal: Principal) -> tuple[Resource, Profile]:
    """Raises 422 for a user without profile, or whose stored resource or profile is not valid."""
    resource, profile = principal.resource, principal.profile
    if resource is None or profile is None:
        raise HTTPException(
            422, f"User {principal.user.email} is not associated to a computational profile. Please contact an admin."
        )
    try:
        resource_adapter.validate_python(_columns(resource))
        profile_adapter.validate_python(_columns(profile))
    except ValidationError as error:
        raise HTTPException(
            422, f"User resource/profile are not valid for resource type '{resource.type}'. Original error: {error}"
        ) from None
    return resource, profile


def _columns(row: Resource | Profile) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}
