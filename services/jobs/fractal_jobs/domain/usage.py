"""What tasks used, and a job in all."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Usage:
    """SLURM jobs, how many of them were measured and what those took; and the processes in them."""

    slurm_jobs: int
    slurm_jobs_measured: int
    cpu_s: float | None
    elapsed_s: float | None
    """Of all SLURM jobs together."""
    peak_memory_kb: int | None
    """Of the SLURM job that took most."""
    requested_memory_mb: int | None
    processes: int
    processes_wall_s: float | None
    processes_max_rss_kb: int | None


@dataclass(frozen=True)
class TaskUsage:
    """One execution of a workflow task."""

    run_id: int
    workflowtask_id: int | None
    task_name: str
    usage: Usage


@dataclass(frozen=True)
class Measured:
    """What SLURM has told of a job's SLURM jobs up to now."""

    slurm_jobs: int
    cpu_s: float | None
    elapsed_s: float | None
    peak_memory_kb: int | None

    @property
    def words(self) -> str:
        """`SLURM jobs: 3, CPU time: 4.5 s, elapsed: 6 s, peak memory: 999 MB`: what is known."""
        known = [f"SLURM jobs: {self.slurm_jobs}"]
        if self.cpu_s is not None:
            known.append(f"CPU time: {self.cpu_s:.1f} s")
        if self.elapsed_s is not None:
            known.append(f"elapsed: {self.elapsed_s:.0f} s")
        if self.peak_memory_kb is not None:
            known.append(f"peak memory: {self.peak_memory_kb / 1024:.0f} MB")
        return ", ".join(known)


def total(parts: Sequence[Usage]) -> Usage:
    """Sums, and maxima of memory; None where nothing is known."""
    return Usage(
        slurm_jobs=sum(part.slurm_jobs for part in parts),
        slurm_jobs_measured=sum(part.slurm_jobs_measured for part in parts),
        cpu_s=_known(sum, (part.cpu_s for part in parts)),
        elapsed_s=_known(sum, (part.elapsed_s for part in parts)),
        peak_memory_kb=_known(max, (part.peak_memory_kb for part in parts)),
        requested_memory_mb=_known(max, (part.requested_memory_mb for part in parts)),
        processes=sum(part.processes for part in parts),
        processes_wall_s=_known(sum, (part.processes_wall_s for part in parts)),
        processes_max_rss_kb=_known(max, (part.processes_max_rss_kb for part in parts)),
    )


def _known(combine: Callable[[list[Number]], Number], values: Iterable[Number | None]) -> Number | None:
    known = [value for value in values if value is not None]
    return combine(known) if known else None
