"""Who shares a project with whom."""

from fractal_common.types import ProjectPermissions

from fractal_jobs.api.schemas.base import Lenient, Read


class ProjectGuestCreate(Lenient):
    permissions: ProjectPermissions


class ProjectGuestUpdate(Lenient):
    permissions: ProjectPermissions


class ProjectGuestRead(Read):
    email: str
    is_verified: bool
    permissions: str


class ProjectInvitationRead(Read):
    project_id: int
    project_name: str
    owner_email: str
    guest_permissions: str


class ProjectAccessRead(Read):
    is_owner: bool
    permissions: str
    owner_email: str
