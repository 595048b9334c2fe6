"""Which Unix users an agent may act as: decided by the agent's own configuration, whatever the server says."""

import grp
import os
import pwd
import re
from dataclasses import dataclass

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.@-]{0,63}")


class UserRefused(PermissionError):
    """The agent may not act as this Unix user; the message says what would allow it."""


@dataclass(frozen=True)
class UserPolicy:
    """Its own user is always allowed, root never; the others by list, by group, or by a pattern of the whole name."""

    users: frozenset[str] = frozenset()
    group: str | None = None
    pattern: re.Pattern[str] | None = None

    def check(self, username: str | None) -> str | None:
        """The user to become; None if that is the agent's own.

        Raises:
            UserRefused: not allowed, unknown, or no name at all.
        """
        if username is None:
            return None
        if not NAME.fullmatch(username):
            raise UserRefused(f"{username!r} is not the name of a Unix user")
        try:
            account = pwd.getpwnam(username)
        except KeyError:
            raise UserRefused(f"there is no Unix user '{username}' on the agent's host") from None
        if account.pw_uid == os.geteuid():
            return None
        if account.pw_uid == 0:
            raise UserRefused("this agent never acts as root")
        if username in self.users or self._is_member(account) or self._matches(username):
            return username
        raise UserRefused(
            f"this agent may not act as Unix user '{username}': allow it through FRACTAL_AGENT_USERS, "
            "FRACTAL_AGENT_USER_GROUP or FRACTAL_AGENT_USER_PATTERN"
        )

    def _matches(self, username: str) -> bool:
        return self.pattern is not None and self.pattern.fullmatch(username) is not None

    def _is_member(self, account: pwd.struct_passwd) -> bool:
        if self.group is None:
            return False
        try:
            group = grp.getgrnam(self.group)
        except KeyError:
            return False
        return account.pw_name in group.gr_mem or account.pw_gid == group.gr_gid
