"""Unix users of the test cluster: a service user, and three who own data."""

import grp
import os
import pwd
import subprocess
from pathlib import Path

SERVICE = "fractal-service"
USERS = ("fractal-user1", "fractal-user2", "fractal-user3")
GROUP = "fractal-users"
SUDOERS = Path(f"/etc/sudoers.d/fractal-test-{os.getpid()}")


def ensure() -> None:
    """The accounts exist; nothing else is granted."""
    try:
        grp.getgrnam(GROUP)
    except KeyError:
        subprocess.run(["groupadd", GROUP], check=True)
    for name in (SERVICE, *USERS):
        try:
            pwd.getpwnam(name)
        except KeyError:
            groups = [] if name == SERVICE else ["-G", GROUP]
            subprocess.run(["useradd", "-m", "-s", "/bin/sh", *groups, name], check=True)
        home = Path(pwd.getpwnam(name).pw_dir)
        home.chmod(0o750)


def allow(lines: str) -> None:
    """Install a sudoers file; one with a mistake is refused."""
    draft = SUDOERS.with_name(f".{SUDOERS.name}.draft")
    draft.write_text(lines)
    draft.chmod(0o440)
    try:
        subprocess.run(["visudo", "-cqf", str(draft)], check=True)
        draft.rename(SUDOERS)
    finally:
        draft.unlink(missing_ok=True)


def forbid() -> None:
    SUDOERS.unlink(missing_ok=True)
