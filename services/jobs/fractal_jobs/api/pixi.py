"""Which pixi a resource has, and what the agent needs to know to use it."""

from typing import Any

from fastapi import HTTPException
from fractal_common.database.models import Profile, Resource
from fractal_common.messages import PixiSettings


def available_version(resource: Resource, asked: str | None) -> str:
    """The version asked for, else the default one; raises 422 if the resource does not have it."""
    config = resource.tasks_pixi_config
    if not config:
        raise HTTPException(422, "Pixi task collection is not available.")
    version = config["default_version"] if asked is None else asked
    versions: dict[str, str] = config["versions"]
    if version not in versions:
        raise HTTPException(422, f"Pixi version '{version}' is not available. Available versions: {list(versions)}")
    return version


def pixi_settings(resource: Resource, profile: Profile, version: str | None, *, frozen: bool) -> dict[str, Any] | None:
    """For the command to the agent; None if the resource does not have this version (any more)."""
    config = resource.tasks_pixi_config
    home = config["versions"].get(version) if config else None
    if home is None:
        return None
    settings = PixiSettings(
        home=home,
        cache_dir=profile.pixi_cache_dir or f"{home}/cache",
        concurrent_solves=config["PIXI_CONCURRENT_SOLVES"],
        concurrent_downloads=config["PIXI_CONCURRENT_DOWNLOADS"],
        worker_threads=config["TOKIO_WORKER_THREADS"],
        environment=config["DEFAULT_ENVIRONMENT"],
        platform=config["DEFAULT_PLATFORM"],
        frozen=frozen,
    )
    return settings.model_dump()
