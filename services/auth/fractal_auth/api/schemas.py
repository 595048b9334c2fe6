"""Bodies of requests and responses."""

from typing import Annotated, Any

from fractal_common.http.timestamps import IsoTime
from fractal_common.types import NonEmptyStr, NonNegativeInt, ProjectDir, no_nul_character, validate_cmd
from pydantic import AfterValidator, BaseModel, ConfigDict, EmailStr, Field, StringConstraints


def _unique(values: list[str]) -> list[str]:
    if len(set(values)) != len(values):
        raise ValueError("List has repetitions")
    return values


def _shell_safe(values: list[str]) -> list[str]:
    for value in values:
        validate_cmd(value)
    return values


def _encodable(value: str) -> str:
    """JSON may have halves of a surrogate pair, which no encoding has."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("String must be valid Unicode") from None
    return value


SlurmAccount = Annotated[str, StringConstraints(min_length=1, pattern=r"^[a-zA-Z0-9_\-\.]+$")]
SlurmAccounts = Annotated[list[SlurmAccount], AfterValidator(_unique)]
ProjectDirs = Annotated[list[ProjectDir], Field(min_length=1), AfterValidator(_unique), AfterValidator(_shell_safe)]
GroupIds = Annotated[list[NonNegativeInt], Field(min_length=1), AfterValidator(_unique)]


ABSENT: Any = None
"""Of a field that was not sent; as a default it stays out of the OpenAPI document, and null is still refused."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ErrorModel(BaseModel):
    """A refusal: a code, or a code with its reason."""

    detail: str | dict[str, str]


class OAuthAccountRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    account_email: str
    oauth_name: str


class UserRead(BaseModel):
    """A user as everybody may see it: never the password's hash."""

    id: int
    email: Annotated[str, Field(json_schema_extra={"format": "email"})]
    is_active: bool = True
    is_superuser: bool = False
    is_verified: bool = False
    is_guest: bool
    group_ids_names: list[tuple[int, str]] | None = None
    oauth_accounts: list[OAuthAccountRead]
    profile_id: int | None = None
    project_dirs: list[str]
    slurm_accounts: list[str]


class UserCreate(BaseModel):
    email: EmailStr
    password: Annotated[str, AfterValidator(_encodable)]
    project_dirs: ProjectDirs
    slurm_accounts: SlurmAccounts = Field(default_factory=list[str])
    profile_id: int | None = None
    is_guest: bool = False
    # Accepted and without effect: privileges are given by a second request.
    is_active: bool | None = True
    is_superuser: bool | None = False
    is_verified: bool | None = False


class UserUpdate(Strict):
    """Only fields that were sent count (`model_fields_set`); of those, only `profile_id` may be null."""

    password: NonEmptyStr = Field(default=ABSENT)
    email: EmailStr = Field(default=ABSENT)
    is_active: bool = Field(default=ABSENT)
    is_superuser: bool = Field(default=ABSENT)
    is_verified: bool = Field(default=ABSENT)
    is_guest: bool = Field(default=ABSENT)
    profile_id: int | None = None
    project_dirs: ProjectDirs = Field(default=ABSENT)
    slurm_accounts: SlurmAccounts = Field(default=ABSENT)


class UserUpdateStrict(Strict):
    """What users may change of themselves."""

    slurm_accounts: SlurmAccounts = Field(default=ABSENT)


class UserUpdateGroups(Strict):
    group_ids: GroupIds


class UserProfileInfo(BaseModel):
    has_profile: bool
    resource_name: str | None = None
    profile_name: str | None = None
    username: str | None = None


class UserGroupCreate(Strict):
    name: Annotated[NonEmptyStr, AfterValidator(no_nul_character)]


class UserGroupRead(BaseModel):
    id: int
    name: str
    timestamp_created: IsoTime
    user_ids: list[int] | None = None


class AuthorizationResponse(BaseModel):
    authorization_url: str


class BearerResponse(BaseModel):
    access_token: str
    token_type: str
