"""`fractalctl` as an operator runs it, in a directory with a settings file."""

import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent
EMAIL, PASSWORD = "admin@example.org", "not-a-secret-1"


def configure(folder: Path, database: dict[str, str]) -> Path:
    """Make it a working directory with a settings file, as the page has it."""
    variables = {**database, "JWT_SECRET_KEY": "k" * 32, "JWT_EXPIRE_SECONDS": "3600"}
    variables["FRACTAL_DEFAULT_GROUP_NAME"] = "All"
    (folder / ".fractal_server.env").write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    return folder


def fractalctl(cwd: Path, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [str(BIN / "fractalctl"), *arguments]
    return subprocess.run(argv, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False)


def initialise(cwd: Path, environment: dict[str, str], *more: str) -> subprocess.CompletedProcess[str]:
    admin = ("--admin-email", EMAIL, "--admin-pwd", PASSWORD, "--admin-project-dir", "/projects")
    return fractalctl(
        cwd, environment, "init-db-data", *admin, *(more or ("--resource", "default", "--profile", "default"))
    )
