"""Which `FRACTAL_…` variables there are, so that one that nobody reads is told from one that works."""

import difflib
from collections.abc import Iterable

from fractal_common import earlier, settings

PREFIX = "FRACTAL_"
OF_OTHER_PARTS = frozenset(
    {
        # The agent.
        "FRACTAL_AGENT_RESOURCE_ID",
        "FRACTAL_AGENT_STATE_DIR",
        "FRACTAL_AGENT_JOB_FOLDERS_KEEP_DAYS",
        "FRACTAL_AGENT_DELEGATE",
        "FRACTAL_AGENT_SLURM_ARRAY_SIZE",
        "FRACTAL_AGENT_SLURM_COMMANDS_PER_S",
        "FRACTAL_AGENT_SLURM_GRACE_S",
        "FRACTAL_AGENT_SLURM_IDLE_INTERVAL_S",
        "FRACTAL_AGENT_SLURM_INTERVAL_S",
        "FRACTAL_AGENT_SLURM_JOBS_PER_USER",
        "FRACTAL_AGENT_SLURM_LOST_S",
        "FRACTAL_AGENT_SLURM_SETTLE_S",
        "FRACTAL_AGENT_SLURM_TIMEOUT_S",
        "FRACTAL_AGENT_SLURM_UNAVAILABLE_S",
        "FRACTAL_AGENT_SLURM_WAVE_WAIT_S",
        "FRACTAL_AGENT_USERS",
        "FRACTAL_AGENT_USER_DIRS",
        "FRACTAL_AGENT_USER_GROUP",
        "FRACTAL_AGENT_USER_PATTERN",
        # The embedded stack, the first start, and containers.
        "FRACTAL_HOME",
        "FRACTAL_ADMIN_EMAIL",
        "FRACTAL_ADMIN_PASSWORD",
        "FRACTAL_ADMIN_PASSWORD_FILE",
        "FRACTAL_ADMIN_PROJECT_DIR",
        "FRACTAL_DATA",
        "FRACTAL_UID",
        "FRACTAL_GID",
        "FRACTAL_BIND",
        "FRACTAL_PORT",
        "FRACTAL_VERSION",
        "FRACTAL_LISTEN",
        "FRACTAL_LISTEN_PORT",
        "FRACTAL_TRUSTED_PROXIES",
        "FRACTAL_AUTH_SERVERS",
        "FRACTAL_JOBS_SERVERS",
        # A task's process.
        "FRACTAL_CACHE_DIR",
        # The public command line client, which may share our shell.
        "FRACTAL_SERVER",
        "FRACTAL_WEB",
        "FRACTAL_USER",
        "FRACTAL_PASSWORD",
        "FRACTAL_TOKEN_PATH",
        "FRACTAL_CACHE_PATH",
    }
)
OF_THE_SECOND_GENERATION = frozenset({*earlier.OF_THE_DEFAULT_RESOURCE, *earlier.OF_THE_ADMINISTRATOR})
"""Of earlier releases, and still read."""


def known_variables() -> frozenset[str]:
    """All names that some part of the product reads."""
    own = {
        name
        for group in vars(settings).values()
        if isinstance(group, type) and issubclass(group, settings.SettingsGroup)
        for name in group.model_fields
    }
    return frozenset({*own, *OF_OTHER_PARTS, *OF_THE_SECOND_GENERATION})


def remarks(given: Iterable[str] | None = None) -> list[dict[str, str]]:
    """About each variable that is set (in the environment or the settings file) and that nobody reads."""
    known = known_variables()
    endings = sorted(name.removeprefix(PREFIX) for name in known if name.startswith(PREFIX))
    found: list[dict[str, str]] = []
    for name in sorted(settings.given_variables() if given is None else given):
        if not name.startswith(PREFIX) or name in known:
            continue
        if name in earlier.DROPPED:
            found.append({"variable": name, "reason": f"of an earlier release: {earlier.DROPPED[name]}"})
            continue
        near = difflib.get_close_matches(name.removeprefix(PREFIX), endings, n=1)
        guess = {"did_you_mean": PREFIX + near[0]} if near else {}
        found.append({"variable": name, "reason": "unknown", **guess})
    return found
