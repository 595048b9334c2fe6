"""execution §12: the worked table row by row, and what holds for every request."""

import pytest
from fractal_common.types import TaskType
from fractal_jobs.domain.errors import PlanError
from fractal_jobs.domain.planning import Packing, plan_parallel
from fractal_jobs.domain.slurm_batching import BatchingConfig, batch
from fractal_jobs.domain.slurm_config import SlurmConfig
from fractal_jobs.domain.slurm_jobs import SlurmWave
from hypothesis import given
from hypothesis import strategies as st

from .test_planning import task

LIMITS = BatchingConfig(
    target_num_jobs=4,
    max_num_jobs=10,
    target_cpus_per_job=4,
    max_cpus_per_job=8,
    target_mem_per_job=4000,
    max_mem_per_job=16000,
)


@pytest.mark.parametrize(
    ("count", "cpus", "mem", "asked", "expected", "jobs"),
    [
        (1, 1, 1000, None, (4, 4), 1),
        (16, 1, 1000, None, (4, 4), 4),
        (17, 1, 1000, None, (8, 8), 3),
        (80, 1, 1000, None, (8, 8), 10),
        (81, 1, 1000, None, (9, 8), 9),
        (100, 1, 1000, None, (10, 8), 10),
        (1000, 1, 1000, None, (100, 8), 10),
        (10, 5, 1000, None, (1, 1), 10),
        (10, 1, 5000, None, (3, 3), 4),
        (100, 1, 5000, None, (10, 3), 10),
        (10, 1, 1000, (3, 5), (3, 3), 4),
    ],
)
def test_the_worked_table(
    count: int, cpus: int, mem: int, asked: tuple[int, int] | None, expected: tuple[int, int], jobs: int
) -> None:
    tasks, parallel = asked or (None, None)
    found = batch(count, cpus=cpus, mem_mb=mem, limits=LIMITS, tasks_per_job=tasks, parallel_tasks_per_job=parallel)
    assert (found.tasks_per_job, found.parallel_tasks_per_job) == expected
    assert found.jobs(count) == jobs


def test_the_real_run() -> None:
    limits = BatchingConfig(
        target_num_jobs=2,
        max_num_jobs=4,
        target_cpus_per_job=2,
        max_cpus_per_job=4,
        target_mem_per_job=200,
        max_mem_per_job=1000,
    )
    found = batch(5, cpus=1, mem_mb=100, limits=limits)
    assert (found.tasks_per_job, found.parallel_tasks_per_job, found.jobs(5)) == (4, 4, 2)


@pytest.mark.parametrize(
    ("count", "cpus", "mem", "asked", "text"),
    [
        (11, 1, 1000, (1, 1), "[heuristics] Requested num_jobs=11 but max_num_jobs=10."),
        (10, 9, 1000, None, "[heuristics] Requested cpus_per_task=9 but max_cpus_per_job=8."),
        (10, 1, 16001, None, "[heuristics] Requested mem_per_task=16001 but max_mem_per_job=16000."),
        (10, 3, 1000, (3, 3), "[heuristics] Requested cpus_per_job=9 but max_cpus_per_job=8."),
        (10, 1, 8000, (3, 3), "[heuristics] Requested mem_per_job=24000 but max_mem_per_job=16000."),
        (10, 1, 1000, (3, None), "tasks_per_job and parallel_tasks_per_job must be both set or both unset"),
        (10, 1, 1000, (None, 3), "tasks_per_job and parallel_tasks_per_job must be both set or both unset"),
    ],
)
def test_what_cannot_be_batched(
    count: int, cpus: int, mem: int, asked: tuple[int | None, int | None] | None, text: str
) -> None:
    tasks, parallel = asked or (None, None)
    with pytest.raises(PlanError) as error:
        batch(count, cpus=cpus, mem_mb=mem, limits=LIMITS, tasks_per_job=tasks, parallel_tasks_per_job=parallel)
    assert str(error.value) == text


number = st.integers(1, 50)
memory = st.integers(1, 20_000)


@st.composite
def limits(draw: st.DrawFn) -> BatchingConfig:
    jobs, cpus, mem = draw(number), draw(number), draw(memory)
    return BatchingConfig(
        target_num_jobs=jobs,
        max_num_jobs=jobs + draw(st.integers(0, 50)),
        target_cpus_per_job=cpus,
        max_cpus_per_job=cpus + draw(st.integers(0, 50)),
        target_mem_per_job=mem,
        max_mem_per_job=mem + draw(memory),
    )


@given(count=st.integers(1, 20_000), cpus=number, mem=memory, limits=limits())
def test_no_job_exceeds_a_maximum_and_there_are_not_too_many(
    count: int, cpus: int, mem: int, limits: BatchingConfig
) -> None:
    if cpus > limits.max_cpus_per_job or mem > limits.max_mem_per_job:
        return
    found = batch(count, cpus=cpus, mem_mb=mem, limits=limits)
    assert 1 <= found.parallel_tasks_per_job <= found.tasks_per_job
    assert found.parallel_tasks_per_job * cpus <= limits.max_cpus_per_job
    assert found.parallel_tasks_per_job * mem <= limits.max_mem_per_job
    assert found.jobs(count) <= limits.max_num_jobs
    alone = found.one_at_a_time()
    assert (alone.tasks_per_job, alone.parallel_tasks_per_job) == (found.tasks_per_job, 1)


@given(count=st.integers(1, 300), units_per_job=number, processes=number)
def test_the_batches_of_a_wave_are_its_units_in_order(count: int, units_per_job: int, processes: int) -> None:
    config = SlurmConfig(partition="main", cpus_per_task=2, mem=100, job_name="T")
    slurm = SlurmWave(config=config, exports={}, python=None, units_per_job=units_per_job, processes=processes)
    wave = plan_parallel(
        task(TaskType.PARALLEL), [f"/z/{i}" for i in range(count)], Packing(processes=processes, slurm=slurm)
    )
    batches = wave.batches()
    assert [unit for one in batches for unit in one] == wave.units
    assert all(1 <= len(one) <= units_per_job for one in batches)
    for index, one in enumerate(batches):
        assert {unit.name.split("-")[1] for unit in one} == {f"{index:06d}"}
        job = slurm.job(len(one))
        assert job.options["ntasks"] == str(min(len(one), processes))
        assert job.options["mem"] == f"{min(len(one), processes) * 100}M"
