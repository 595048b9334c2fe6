"""`/job/squeue/`: the scheduler's queue, as the agent of the caller's resource last saw it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import PlainTextResponse
from fractal_common.bus import BusError, NoAgentError
from fractal_common.settings import app_settings
from fractal_common.types import ResourceType

from fractal_jobs.api.agents import Agents, agents
from fractal_jobs.api.principals import Writer
from fractal_jobs.api.profiles import validated

router = APIRouter(prefix="/job")

FAILURE = "Error executing squeue command - please retry later."


@router.get("/squeue/", response_model=str)
async def get_squeue(
    principal: Writer,
    cluster: Annotated[Agents, Depends(agents)],
    scope: Literal["all", "user", "accounts"] = "all",
) -> PlainTextResponse:
    """Jobs of everybody, of the caller's Unix user, or on the caller's accounts (of everybody if there are none)."""
    backend = app_settings().FRACTAL_RUNNER_BACKEND
    if backend == ResourceType.LOCAL:
        raise HTTPException(422, f"This endpoint is not available for FRACTAL_RUNNER_BACKEND={backend}.")
    resource, profile = validated(principal)
    username = profile.username if scope == "user" else None
    accounts = principal.user.slurm_accounts or None if scope == "accounts" else None
    lines: list[str] = []
    try:
        async for part in cluster.queue(resource.id, username=username, accounts=accounts):
            if not lines:
                lines.append(part.header)
            lines += part.lines
    except NoAgentError:
        raise HTTPException(422, f"{FAILURE} No agent serves the resource '{resource.name}'.") from None
    except BusError:
        raise HTTPException(422, FAILURE) from None
    return PlainTextResponse("\n".join(lines) + "\n")
