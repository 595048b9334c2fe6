"""Variables of earlier releases: what each has become."""

from collections.abc import Mapping
from typing import Any

RENAMED = {"POSTGRES_SERVER": "POSTGRES_HOST"}
PROVIDER_SUFFIXES = {
    "_CLIENT_ID": "OAUTH_CLIENT_ID",
    "_CLIENT_SECRET": "OAUTH_CLIENT_SECRET",
    "_OIDC_CONFIGURATION_ENDPOINT": "OAUTH_OIDC_CONFIG_ENDPOINT",
    "_REDIRECT_URL": "OAUTH_REDIRECT_URL",
}
"""Of `OAUTH_{NAME}_…`, when an instance could have several providers."""

OF_THE_DEFAULT_RESOURCE = {
    "FRACTAL_SLURM_CONFIG_FILE": "jobs_runner_config",
    "FRACTAL_LOCAL_CONFIG_FILE": "jobs_runner_config",
    "FRACTAL_SLURM_WORKER_PYTHON": "jobs_slurm_python_worker",
    "FRACTAL_SLURM_POLL_INTERVAL": "jobs_poll_interval",
    "FRACTAL_TASKS_PYTHON_DEFAULT_VERSION": "tasks_python_config.default_version",
    **{
        f"FRACTAL_TASKS_PYTHON_{version}": "tasks_python_config.versions"
        for version in ("3_9", "3_10", "3_11", "3_12", "3_13", "3_14")
    },
    "FRACTAL_PIP_CACHE_DIR": "tasks_python_config.pip_cache_dir",
    "FRACTAL_PIXI_CONFIG_FILE": "tasks_pixi_config",
}
"""Since 2.17.0 these are fields of a resource; they fill the default one."""

OF_THE_ADMINISTRATOR = ("FRACTAL_DEFAULT_ADMIN_EMAIL", "FRACTAL_DEFAULT_ADMIN_PASSWORD")

DROPPED = {
    "FRACTAL_DEFAULT_ADMIN_USERNAME": "users have no user name any more",
    "FRACTAL_SLURM_SBATCH_SLEEP": "submissions are not spaced out by sleeping",
    "FRACTAL_SLURM_ERROR_HANDLING_INTERVAL": "the grace period is the agent's",
    "FRACTAL_SLURM_OUTPUT_FILE_GRACE_TIME": "the grace period is the agent's",
    "FRACTAL_SLURM_KILLWAIT_INTERVAL": "jobs end with their own evidence",
    "FRACTAL_SLURM_INTERVAL_BEFORE_RETRIEVAL": "results are followed as they are written",
    "FRACTAL_SLURM_SSH_HOST": "now `host` of a resource",
    "FRACTAL_SLURM_SSH_USER": "now `username` of a profile",
    "FRACTAL_SLURM_SSH_PRIVATE_KEY_PATH": "now `ssh_key_path` of a profile",
    "FRACTAL_SLURM_SSH_WORKING_BASE_DIR": "now `jobs_remote_dir` of a profile",
    "FRACTAL_MAX_PIP_VERSION": "pip is not pinned any more",
    "FRACTAL_API_V1_MODE": "version 1 of the API is gone",
    "FRACTAL_API_SUBMIT_RATE_LIMIT": "a dataset is in one submitted job at most",
    "FRACTAL_CORS_ALLOW_ORIGIN": "there is no CORS any more",
    "FRACTAL_RUNNER_TASKS_INCLUDE_IMAGE": "version 1 of the API is gone",
    "FRACTAL_RUNNER_MAX_TASKS_PER_WORKFLOW": "parallelism is that of the resource",
    "FRACTAL_RUNNER_DEFAULT_EXECUTOR": "executors are gone",
    "FRACTAL_VIEWER_AUTHORIZATION_SCHEME": "the viewer follows project directories and shared projects",
    "FRACTAL_VIEWER_BASE_FOLDER": "the viewer follows project directories and shared projects",
    "FRACTAL_DATA_AUTH_SCHEME": "the viewer follows project directories and shared projects",
    "FRACTAL_DATA_BASE_FOLDER": "the viewer follows project directories and shared projects",
    "FRACTAL_EMAIL_SETTINGS": "set the FRACTAL_EMAIL_… variables one by one",
    "FRACTAL_EMAIL_SETTINGS_KEY": "set the FRACTAL_EMAIL_… variables one by one",
    "FRACTAL_EMAIL_PASSWORD_KEY": "FRACTAL_EMAIL_PASSWORD is the password itself, not encrypted",
    "FRACTAL_V27_DEFAULT_USER_EMAIL": "tasks have owners",
    "FRACTAL_PARSL_CONFIG": "Parsl is gone",
    "FRACTAL_PARSL_MONITORING": "Parsl is gone",
    "FRACTAL_LOG_DIR": "logs go to standard error, or where LOG_CONFIG_FILE says",
    "FRACTAL_LOG_CONFIG_FILE": "its name is LOG_CONFIG_FILE",
}


def backend(value: Any) -> Any:
    """`slurm` was the name of `slurm_sudo`."""
    return "slurm_sudo" if value == "slurm" else value


def renamed(given: Mapping[str, str]) -> dict[str, str]:
    """Values of old names under their new ones; of several OAuth providers none, for it is not clear which."""
    found = {new: given[old] for old, new in RENAMED.items() if old in given}
    providers = {
        name.removeprefix("OAUTH_").removesuffix("_CLIENT_ID")
        for name in given
        if name.startswith("OAUTH_") and name.endswith("_CLIENT_ID") and name != "OAUTH_CLIENT_ID"
    }
    if len(providers) == 1 and "OAUTH_CLIENT_NAME" not in given:
        (provider,) = providers
        found["OAUTH_CLIENT_NAME"] = provider.lower()
        for suffix, new in PROVIDER_SUFFIXES.items():
            if f"OAUTH_{provider}{suffix}" in given:
                found[new] = given[f"OAUTH_{provider}{suffix}"]
    return found
