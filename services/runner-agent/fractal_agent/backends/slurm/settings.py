"""How the agent uses SLURM: environment variables, all with defaults that a busy site can live with."""

from fractal_common.settings import SettingsGroup
from pydantic import Field


class SlurmSettings(SettingsGroup):
    """Of the agent's SLURM backend."""

    FRACTAL_AGENT_SLURM_INTERVAL_S: float = Field(default=2.0, gt=0)
    """Between two looks at the queue while jobs of ours run."""
    FRACTAL_AGENT_SLURM_IDLE_INTERVAL_S: float = Field(default=60.0, gt=0)
    """The same while there are none."""
    FRACTAL_AGENT_SLURM_COMMANDS_PER_S: float = Field(default=5.0, gt=0)
    """SLURM commands of any kind that the agent runs in a second, for long; twice as many at once."""
    FRACTAL_AGENT_SLURM_TIMEOUT_S: float = Field(default=60.0, gt=0)
    """After which a command's answer is not waited for any more."""
    FRACTAL_AGENT_SLURM_JOBS_PER_USER: int = Field(default=1000, ge=1)
    """Jobs (array elements each) of one user that are in the queue at a time; the others wait with the agent."""
    FRACTAL_AGENT_SLURM_ARRAY_SIZE: int = Field(default=1000, ge=1)
    """Elements of one array, at most; less where the site's MaxArraySize asks for it."""
    FRACTAL_AGENT_SLURM_WAVE_WAIT_S: float = Field(default=2.0, ge=0)
    """How long the agent waits for the rest of a task's batches, to submit them as one array."""
    FRACTAL_AGENT_SLURM_GRACE_S: float = Field(default=30.0, ge=0)
    """How late the shared file system may show what a job's worker wrote at its end."""
    FRACTAL_AGENT_SLURM_SETTLE_S: float = Field(default=15.0, ge=0)
    """How late slurmctld may make the job of an sbatch that got no answer."""
    FRACTAL_AGENT_SLURM_UNAVAILABLE_S: float = Field(default=30.0, ge=0)
    """How long the agent tries again to act as a user before what it is to do for the user has failed."""
    FRACTAL_AGENT_SLURM_LOST_S: float = Field(default=600.0, ge=0)
    """After which a job that squeue does not know, and of which accounting cannot tell, is taken for lost."""
