"""What only administrators send and see."""

from fractal_common.types import RunStatus

from fractal_jobs.api.schemas.base import Strict


class JobUpdate(Strict):
    status: RunStatus
