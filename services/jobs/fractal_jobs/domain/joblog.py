"""Texts of `workflow.log` and of a job's `log` field, which clients and people look for."""

from collections.abc import Mapping
from datetime import datetime

NUL_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
STOPPED = "Failed due to job-execution shutdown."


def clean_text(text: str) -> str:
    """Text that Postgres stores: no NUL characters, no lone surrogates."""
    return text.replace("\0", NUL_REPLACEMENT).encode("utf-8", "replace").decode("utf-8")


def line(time: datetime, workflow_id: int, job_id: int, level: str, text: str) -> str:
    """`2026-11-23 06:30:04,744 - WF1_job1 - INFO - …`"""
    stamp = f"{time:%Y-%m-%d %H:%M:%S},{time.microsecond // 1000:03d}"
    return f"{stamp} - WF{workflow_id}_job{job_id} - {level} - {text}\n"


def task_label(alias: str | None, task_name: str, pkg_name: str, version: str | None) -> str:
    """`('{alias}', '{task}', {package} {version})`, without the alias if there is none."""
    prefix = f"'{alias}', " if alias else ""
    return f"({prefix}'{task_name}', {pkg_name} {version})"


def header(workflow_name: str, working_dir: str, facts: Mapping[str, object]) -> list[tuple[str, str]]:
    """Level and text of the first lines; `facts` become `{name}: {value}`, in their order."""
    return [
        ("INFO", f'Start execution of workflow "{workflow_name}"; more logs at {working_dir}/workflow.log'),
        *(("DEBUG", f"{name}: {value}") for name, value in facts.items()),
        ("DEBUG", f'START workflow "{workflow_name}"'),
    ]


def footer(workflow_name: str, working_dir: str) -> list[tuple[str, str]]:
    return [
        ("INFO", f'End execution of workflow "{workflow_name}"; more logs at {working_dir}/workflow.log'),
        ("DEBUG", f'END workflow "{workflow_name}"'),
    ]


def task_failure(job_id: int, error: str, summary: str | None = None) -> str:
    """A process of a task failed: `error` is that of the lowest index, `summary` says how it went for all of them."""
    first = f"{clean_text(summary)}\n" if summary else ""
    return job_error(job_id, f"\nAn error occurred.\n{first}Original error:\n{clean_text(error)}\n\n")


def job_error(job_id: int, text: str) -> str:
    """An anticipated error outside the processes."""
    return f"JOB ERROR in Fractal job {job_id}:\nTRACEBACK:\nJobExecutionError\n{text}"


def unknown_error(job_id: int, traceback: str) -> str:
    """Anything else. Without a colon after the id, as clients know it."""
    return f"UNKNOWN ERROR in Fractal job {job_id}\nTRACEBACK:\n{traceback}"


def empty_image_list(task_name: str, types: Mapping[str, bool], attributes: Mapping[str, object]) -> str:
    return (
        f"Cannot run task '{task_name}' for an empty image list (obtained after applying "
        f"type_filters={dict(types)} and attribute_filters={dict(attributes)})."
    )
