"""Who acts is named also where the account has only a number."""

import os
import pwd

from fractal_agent.identity.audit import account_name


def test_an_account_is_named_or_numbered() -> None:
    assert account_name(os.geteuid()) == pwd.getpwuid(os.geteuid()).pw_name
    nobody_has = max(entry.pw_uid for entry in pwd.getpwall()) + 12345
    assert account_name(nobody_has) == str(nobody_has)
