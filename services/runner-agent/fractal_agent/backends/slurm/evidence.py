"""What SLURM's accounting says of jobs that are over, and how a scientist is told."""

import re
from collections.abc import Mapping
from typing import Any

from fractal_common.messages import SchedulerEvidence
from fractal_common.scheduler import words

from fractal_agent.backends.slurm.queue import ENDED, Entry, places

SEPARATOR = "\x1f"
FIELDS = (
    *("JobID", "JobIDRaw", "State", "ExitCode", "Reason", "NodeList", "ReqMem", "MaxRSS"),
    *("TimelimitRaw", "ElapsedRaw", "TotalCPU", "User", "SubmitLine"),
)
UNITS_KB = {"": 1 / 1024, "K": 1, "M": 1024, "G": 1024**2, "T": 1024**3}

ADVICE = {
    "OUT_OF_MEMORY": "It needed more memory than was asked for: ask for more with `mem`.",
    "TIMEOUT": "It reached its time limit: ask for more with `time`.",
    "DEADLINE": "It did not end before its deadline.",
    "NODE_FAIL": "The node that ran it failed: nothing is wrong with the task, run it again.",
    "BOOT_FAIL": "The node could not be started: nothing is wrong with the task, run it again.",
    "PREEMPTED": "Jobs of higher priority took its place: run it again, or choose another partition.",
    "CANCELLED": "Somebody cancelled it on the cluster.",
    "FAILED": "It ended before all of its processes had run: see the lines of `worker_init` and `extra_lines`.",
    "COMPLETED": "It ended before all of its processes had run: see the lines of `worker_init` and `extra_lines`.",
}


def read_accounts(text: str) -> dict[str, dict[str, str]]:
    """sacct's rows by job id, the use of memory of its steps added; a line that is none is left out."""
    jobs: dict[str, dict[str, str]] = {}
    steps: list[dict[str, str]] = []
    for line in text.splitlines():
        values = line.split(SEPARATOR)
        if len(values) < len(FIELDS) or not re.match(r"\d", values[0]):
            continue
        row = dict(zip(FIELDS, values, strict=False))
        if "." in row["JobID"]:
            steps.append(row)
        else:
            for job in _elements(row["JobID"]):
                jobs[job] = {**row, "JobID": job}
    for step in steps:
        job = jobs.get(step["JobID"].partition(".")[0])
        if job is not None and (memory_kb(step["MaxRSS"]) or 0) > (memory_kb(job["MaxRSS"]) or 0):
            job["MaxRSS"] = step["MaxRSS"]
    return jobs


def is_over(row: Mapping[str, str]) -> bool:
    return row["State"].partition(" ")[0] in ENDED


def from_accounts(row: Mapping[str, str]) -> SchedulerEvidence:
    requested = memory_kb(row["ReqMem"])
    limit = _integer(row["TimelimitRaw"])
    return SchedulerEvidence(
        job_id=row["JobID"],
        state=row["State"],
        exit_code=row["ExitCode"] or None,
        reason=row["Reason"] if row["Reason"] not in ("", "None") else None,
        nodes=row["NodeList"] or None,
        requested_memory_mb=None if requested is None else round(requested / 1024),
        peak_memory_kb=memory_kb(row["MaxRSS"]),
        time_limit_s=None if limit is None else limit * 60,
        elapsed_s=_integer(row["ElapsedRaw"]),
        cpu_s=seconds(row["TotalCPU"]),
    )


def from_queue(entry: Entry, job_id: str) -> SchedulerEvidence:
    """Where there is no accounting, or none yet."""
    limit = seconds(entry.time_limit)
    return SchedulerEvidence(
        job_id=job_id,
        state=entry.state,
        reason=entry.reason if entry.reason not in ("", "None") else None,
        nodes=entry.nodes or None,
        time_limit_s=None if limit is None else round(limit),
    )


def with_worker(evidence: SchedulerEvidence, end: Mapping[str, Any], cpu_s: float) -> SchedulerEvidence:
    """Completed by what the worker measured; what the scheduler measured counts before it."""
    facts: dict[str, Any] = {
        "cpu_s": round(cpu_s + float(end.get("cpu_s") or 0), 3),
        "elapsed_s": end.get("elapsed_s"),
        "peak_memory_kb": end.get("peak_memory_kb"),
    }
    return evidence.model_copy(
        update={name: value for name, value in facts.items() if value and getattr(evidence, name) is None}
    )


def explain(evidence: SchedulerEvidence) -> str:
    """For the history of a unit: what to do, then the scheduler's own words."""
    advice = ADVICE.get(evidence.state.partition(" ")[0], "It ended before all of its processes had run.")
    return (
        f"SLURM job {evidence.job_id} ended without a result of this process. {advice}\nSLURM says: {words(evidence)}."
    )


def memory_kb(text: str) -> int | None:
    """`100M`, `1080K`, `0`; a trailing `n` or `c` (a node, a CPU) is ignored; None if it says nothing."""
    match = re.fullmatch(r"([0-9.]+)([KMGT]?)[nc]?", text)
    return round(float(match[1]) * UNITS_KB[match[2]]) if match else None


def seconds(text: str) -> float | None:
    """`1-02:03:04`, `03:04`, `03:04.567`; None for `UNLIMITED` and the like."""
    match = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)", text)
    if match is None:
        return None
    days, hours, minutes, rest = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def _elements(job: str) -> list[str]:
    """Elements of an array that never started are one row: `12_[0-3]`."""
    match = re.fullmatch(r"(\d+)_\[(.*)\]", job)
    found = places(match[2]) if match else None
    return [job] if match is None or found is None else [f"{match[1]}_{place}" for place in sorted(found)]


def _integer(text: str) -> int | None:
    return int(text) if text.isdigit() else None
