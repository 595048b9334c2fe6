"""Tables of schema `auth`: users, groups, memberships, OAuth accounts."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from fractal_common.database.base import Base, Created, IntPk

SCHEMA = {"schema": "auth"}


class User(Base):
    """A person (or guest account) that can log in."""

    __tablename__ = "user_oauth"

    id: Mapped[IntPk]
    email: Mapped[str]
    hashed_password: Mapped[str]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    is_superuser: Mapped[bool] = mapped_column(server_default=text("false"))
    is_verified: Mapped[bool] = mapped_column(server_default=text("false"))
    is_guest: Mapped[bool] = mapped_column(server_default=text("false"))
    profile_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.profile.id", ondelete="RESTRICT"), index=True)
    project_dirs: Mapped[list[str]] = mapped_column(ARRAY(String()))
    slurm_accounts: Mapped[list[str]] = mapped_column(ARRAY(String()), server_default=text("'{}'"))

    __table_args__ = (
        Index("ix_user_oauth_email", "email", unique=True),
        # Log-in and duplicate checks ignore case on both sides.
        Index("ix_user_oauth_email_lower", func.lower(text("email"))),
        SCHEMA,
    )


class OAuthAccount(Base):
    """A provider's account linked to a user."""

    __tablename__ = "oauthaccount"
    __table_args__ = SCHEMA

    id: Mapped[IntPk]
    user_id: Mapped[int] = mapped_column(ForeignKey("auth.user_oauth.id"), index=True)
    oauth_name: Mapped[str] = mapped_column(index=True)
    access_token: Mapped[str]
    expires_at: Mapped[int | None]
    refresh_token: Mapped[str | None]
    account_id: Mapped[str] = mapped_column(index=True)
    account_email: Mapped[str]


class LoginAttempts(Base):
    """Attempts to log in that have not succeeded, counted by what they have in common, since the first of them.

    Unlogged: what a crash of the server forgets is only how many there have been in the last minutes.
    """

    __tablename__ = "login_attempts"
    __table_args__ = ({"schema": "auth", "prefixes": ["UNLOGGED"]},)

    key: Mapped[str] = mapped_column(primary_key=True)
    attempts: Mapped[int]
    since: Mapped[datetime] = mapped_column(index=True)


class UserGroup(Base):
    """A named set of users with whom task groups and templates are shared."""

    __tablename__ = "usergroup"
    __table_args__ = SCHEMA

    id: Mapped[IntPk]
    name: Mapped[str] = mapped_column(unique=True)
    timestamp_created: Mapped[Created]


class GroupMember(Base):
    """Membership; its creation time orders a user's groups."""

    __tablename__ = "linkusergroup"
    __table_args__ = SCHEMA

    group_id: Mapped[int] = mapped_column(ForeignKey("auth.usergroup.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(
        ForeignKey("auth.user_oauth.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    timestamp_created: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
