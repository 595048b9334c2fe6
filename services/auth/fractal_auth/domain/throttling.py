"""Which attempts to log in are still looked at.

Guessing is slow for one account from one address, for one account from all addresses together, and for all accounts
from one address (trying one common password on everybody). Who is refused so learns nothing from it: the answer is
the one to a wrong password.
"""

import hashlib
from dataclasses import dataclass

WINDOW_S = 300
"""Attempts count for this long after the first of them."""
ADDRESSES_PER_ACCOUNT = 5
"""As many attempts as from that many addresses are looked at for one account."""


@dataclass(frozen=True)
class Counters:
    """Keys of the counters that an attempt belongs to, with how far each may go; `own` is that of the pair."""

    own: str
    limits: dict[str, int]

    def are_exceeded(self, counts: dict[str, int]) -> bool:
        return any(counts[key] > limit for key, limit in self.limits.items())


def counters(account: str, address: str, *, per_account: int, per_address: int, secret: str) -> Counters:
    """Keys are digests under `secret`: people type passwords where the account belongs."""

    def key(*parts: str) -> str:
        text = "\n".join(parts).encode("utf-8", "replace")
        return hashlib.blake2b(text, digest_size=16, key=hashlib.sha512(secret.encode()).digest()).hexdigest()

    account = account.lower()
    own = key("account and address", account, address)
    return Counters(
        own,
        {
            own: per_account,
            key("account", account): per_account * ADDRESSES_PER_ACCOUNT,
            key("address", address): per_address,
        },
    )
