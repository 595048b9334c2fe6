"""The scheduler's words, and what jobs used."""

import pytest
from fractal_common.messages import SchedulerEvidence
from fractal_common.scheduler import words
from fractal_jobs.domain.causes import Failures, summary
from fractal_jobs.domain.evidence import executor_errors, slurm_job_id, without_result
from fractal_jobs.domain.usage import Measured, Usage, total
from hypothesis import given
from hypothesis import strategies as st

OOM = SchedulerEvidence(
    job_id="12_3",
    state="OUT_OF_MEMORY",
    exit_code="0:125",
    reason="OutOfMemory",
    nodes="n1",
    requested_memory_mb=400,
    peak_memory_kb=408_576,
    time_limit_s=3600,
    elapsed_s=12,
    restarts=1,
)
OOM_WORDS = (
    "state OUT_OF_MEMORY, exit code 0:125, reason OutOfMemory, nodes n1, requested memory 400 MB, peak memory 399 MB, "
    "time limit 3600 s, elapsed 12 s, restarts 1"
)


def test_words_are_the_schedulers_own() -> None:
    assert words(OOM) == OOM_WORDS
    assert words(SchedulerEvidence(job_id="1", state="CANCELLED by 1001")) == "state CANCELLED by 1001"


def test_the_error_of_a_unit_that_left_no_result() -> None:
    text = "The batch ended (OUT_OF_MEMORY) without a result of this unit."
    assert without_result("OUT_OF_MEMORY", None) == text
    assert without_result("OUT_OF_MEMORY", OOM) == f"{text}\nSLURM says of job 12_3: {OOM_WORDS}."


def test_the_summary_has_the_schedulers_words() -> None:
    failures = [Failures(2, "out_of_memory", None, None, None, None, None, OOM), Failures(1, "node_fail", *[None] * 5)]
    assert summary(failures, 9) == (
        f"3 of 9 processes failed: 2 × out of memory (SLURM says: {OOM_WORDS}), 1 × node failed"
    )


@pytest.mark.parametrize(
    ("handle", "expected"),
    [
        ("12", 12),
        ("12_4", 12),
        ("12;cluster", 12),
        ("12_4;cluster", 12),
        ("unknown", None),
        ("", None),
        ("9" * 12, None),
    ],
)
def test_the_slurm_job_of_a_handle(handle: str, expected: int | None) -> None:
    assert slurm_job_id(handle) == expected


def test_noise_of_jobs_that_go_well_is_left_out() -> None:
    noise = [
        "srun: Job 12 step creation temporarily disabled, retrying (Requested nodes are busy)",
        "srun: Job 12 step creation still disabled, retrying (Requested nodes are busy)",
        "srun: Step created for StepId=12.3",
        "srun: Step created for job 135",
        "srun: warning: can't run 1 processes on 2 nodes, setting nnodes to 1",
    ]
    assert executor_errors("\n".join(noise)) is None
    assert executor_errors("") is None
    said = [noise[0], "slurmstepd: error: Detected 1 oom-kill event(s)", noise[3], "second"]
    assert executor_errors("\n".join(said) + "\n") == "slurmstepd: error: Detected 1 oom-kill event(s)\n\nsecond"


amount = st.none() | st.integers(0, 10**9)
usages = st.lists(
    st.builds(
        Usage,
        slurm_jobs=st.integers(0, 100),
        slurm_jobs_measured=st.integers(0, 100),
        cpu_s=amount,
        elapsed_s=amount,
        peak_memory_kb=amount,
        requested_memory_mb=amount,
        processes=st.integers(0, 100),
        processes_wall_s=amount,
        processes_max_rss_kb=amount,
    )
)


@given(first=usages, second=usages)
def test_the_total_is_that_of_the_totals(first: list[Usage], second: list[Usage]) -> None:
    assert total([total(first), total(second)]) == total(first + second)


def test_nothing_known_is_nothing() -> None:
    nothing = total([])
    assert (nothing.slurm_jobs, nothing.processes, nothing.cpu_s, nothing.peak_memory_kb) == (0, 0, None, None)


def test_a_line_about_what_was_measured() -> None:
    assert Measured(3, 4.52, 6, 1_023_000).words == (
        "SLURM jobs: 3, CPU time: 4.5 s, elapsed: 6 s, peak memory: 999 MB"
    )
    assert Measured(1, None, None, None).words == "SLURM jobs: 1"
