"""Accounts as they were a moment ago, for callers who only read.

A page of the web client is a dozen requests; this spares all but the first the look at who is asking. A change is
told by the auth service over the bus, and where that does not arrive an entry is too old after `KEPT_S`.
"""

import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import Generic, TypeVar

from fractal_common.messages import UserChanged

KEPT_S = 2.0
"""Counted from before the account was read."""
MAX_ENTRIES = 10_000

Account = TypeVar("Account")


class RecentAccounts(Generic[Account]):
    """Of one process; by user id."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, tuple[float, Account]] = OrderedDict()
        self._changes = 0

    def get(self, user_id: int) -> Account | None:
        entry = self._kept.get(user_id)
        return None if entry is None or time.monotonic() - entry[0] > KEPT_S else entry[1]

    def reading(self) -> "Reading[Account]":
        """To be taken before the database is read."""
        return Reading(self, time.monotonic(), self._changes)

    def put(self, user_id: int, account: Account, *, read_at: float, changes: int) -> None:
        """Not if some account has changed since: what was read may be the state before."""
        if changes != self._changes:
            return
        self._kept.pop(user_id, None)
        self._kept[user_id] = (read_at, account)
        if len(self._kept) > MAX_ENTRIES:
            self._kept.popitem(last=False)

    def drop(self, user_ids: Iterable[int]) -> None:
        self._changes += 1
        for user_id in user_ids:
            self._kept.pop(user_id, None)

    async def on_change(self, subject: str, data: bytes) -> None:
        """A message of the auth service."""
        self.drop(UserChanged.model_validate_json(data).user_ids)


class Reading(Generic[Account]):
    """One look at the database, which may have begun before a change."""

    def __init__(self, accounts: RecentAccounts[Account], read_at: float, changes: int) -> None:
        self._accounts = accounts
        self._read_at = read_at
        self._changes = changes

    def keep(self, user_id: int, account: Account) -> None:
        self._accounts.put(user_id, account, read_at=self._read_at, changes=self._changes)
