"""`python -m fractal_server.container_secrets`: secrets of a compose project, made at its first start.

Below /secrets there is a volume for each kind of reader. Who may not know a secret does not mount its volume; inside a
volume every account may read, for the official images change theirs before they look. Idempotent; a secret that
exists stays as it is.
"""

import os
import secrets
from pathlib import Path

SECRETS = Path("/secrets")
READERS = {
    "POSTGRES_PASSWORD": ("postgres", "server"),
    "FRACTAL_NATS_PASSWORD": ("server",),
    "JWT_SECRET_KEY": ("server",),
    "FRACTAL_ADMIN_PASSWORD": ("server",),
}
DIRECTORIES = ("jobs", "tasks", "projects")


def main() -> None:
    uid, gid = int(os.environ["FRACTAL_UID"]), int(os.environ["FRACTAL_GID"])
    values = {name: _ensure(name, *readers) for name, readers in READERS.items()}
    agent_password = _ensure("FRACTAL_NATS_PASSWORD", "agent")
    _write(
        SECRETS / "nats" / "site.conf",
        'LISTEN: "0.0.0.0:4222"\nSTORE: "/data"\n'
        f'SERVER_PASSWORD: "{values["FRACTAL_NATS_PASSWORD"]}"\nAGENT_PASSWORD: "{agent_password}"\n',
    )
    data = Path(os.environ["FRACTAL_DATA"])
    if data.stat().st_uid == 0:  # the engine has just made it
        os.chown(data, uid, gid)
    for name in DIRECTORIES:
        directory = data / name
        if not directory.exists():
            directory.mkdir()
            os.chown(directory, uid, gid)


def _ensure(name: str, *readers: str) -> str:
    """The secret, from whichever reader has it already, given to all of them."""
    files = [SECRETS / reader / name for reader in readers]
    existing = [file.read_text() for file in files if file.exists()]
    value = existing[0] if existing else secrets.token_urlsafe(32)
    for file in files:
        if not file.exists():
            _write(file, value)
    return value


def _write(file: Path, text: str) -> None:
    """In one step, so that a start that is interrupted leaves no half of a secret."""
    draft = file.with_name(f".{file.name}")
    descriptor = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o444)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        os.fsync(descriptor)
    draft.replace(file)


if __name__ == "__main__":
    main()
