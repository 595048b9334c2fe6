"""Random faults at random moments. `CHAOS_SEEDS=first:last` chooses others, `CHAOS_SEEDS=17:17` replays one."""

import os

import pytest

from . import chaos
from .stack import Stack

FIRST, _, LAST = os.environ.get("CHAOS_SEEDS", "1:30").partition(":")


@pytest.mark.parametrize("seed", range(int(FIRST), int(LAST) + 1))
async def test_every_unit_runs_once_and_the_job_ends(stack: Stack, seed: int) -> None:
    await chaos.run(stack, seed)
