"""Bodies of requests and responses."""

from typing import Annotated

from fractal_common.http.timestamps import IsoTime
from fractal_common.types import NonEmptyStr, NonNegativeInt, ProjectDir, validate_cmd
from pydantic import AfterValidator, BaseModel, ConfigDict, EmailStr, Field, StringConstraints


def _unique(values: list[str]) -> list[str]:
    if len(set(values)) != len(values):
        raise ValueError("List has repetitions")
    return values


def _shell_safe(values: list[str]) -> list[str]:
    for value in values:
        validate_cmd(value)
    return values


SlurmAccount = Annotated[str, StringConstraints(min_length=1, pattern=r"^[a-zA-Z0-9_\-\.]+$")]
SlurmAccounts = Annotated[list[SlurmAccount], AfterValidator(_unique)]
ProjectDirs = Annotated[list[ProjectDir], Field(min_length=1), AfterValidator(_unique), AfterValidator(_shell_safe)]
GroupIds = Annotated[list[NonNegativeInt], Field(min_length=1), AfterValidator(_unique)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OAuthAccountRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    account_email: str
    oauth_name: str


class UserRead(BaseModel):
    """A user as everybody may see it: never the password's hash."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    email: str
    is_active: bool
    is_superuser: bool
    is_verified: bool
    is_guest: bool
    group_ids_names: list[tuple[int, str]] | None = None
    oauth_accounts: list[OAuthAccountRead] = []
    profile_id: int | None = None
    project_dirs: list[str]
    slurm_accounts: list[str]


class UserCreate(BaseModel):
    email: EmailStr
    password: str
    project_dirs: ProjectDirs
    slurm_accounts: SlurmAccounts = []
    profile_id: int | None = None
    is_guest: bool = False
    # Accepted and without effect: privileges are given by a second request.
    is_active: bool | None = True
    is_superuser: bool | None = False
    is_verified: bool | None = False


class UserUpdate(Strict):
    password: NonEmptyStr = ""
    email: EmailStr = ""
    is_active: bool = False
    is_superuser: bool = False
    is_verified: bool = False
    is_guest: bool = False
    profile_id: int | None = None
    project_dirs: ProjectDirs = []
    slurm_accounts: SlurmAccounts = []


class UserUpdateSelf(Strict):
    slurm_accounts: SlurmAccounts = []


class UserGroups(Strict):
    group_ids: GroupIds


class ProfileInfo(BaseModel):
    has_profile: bool
    resource_name: str | None = None
    profile_name: str | None = None
    username: str | None = None


class GroupCreate(Strict):
    name: NonEmptyStr


class GroupRead(BaseModel):
    id: int
    name: str
    timestamp_created: IsoTime
    user_ids: list[int] | None = None


class BearerResponse(BaseModel):
    access_token: str
    token_type: str
