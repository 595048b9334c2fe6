"""What SLURM is asked for, from resource, workflow task, user and job, in the contract's order of precedence."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, PositiveInt, StringConstraints, ValidationError

from fractal_jobs.domain.errors import AccountLineError, PlanError

MEMORY_UNITS_MB = {"": 1, "M": 1, "G": 1000, "T": 1_000_000}
SBATCH = "#SBATCH"
ACCOUNT_OPTION = re.compile(r"-A|--acco")
"""Long options may be cut short: `--acco` is enough for sbatch, and `--acc` may also be `--acctg-freq`."""
# What a configuration says when it says nothing: it is stored with every key, so unset ones cannot be told otherwise.
UNSET: dict[str, Any] = {"extra_lines": [], "shebang_line": "#!/bin/sh", "use_mem_per_cpu": False}
QUOTING = frozenset("\"'`$\\")
FROM_META = ("time", "gres", "gpus", "constraint", "nodelist", "nodes", "exclude")
ACCOUNT_ELSEWHERE = (
    "SLURM account must be set in the request body of the apply-workflow endpoint, or by modifying the user properties."
)


def _parts_words(character: str) -> bool:
    return character.isspace() or not character.isprintable()


def _one_word(value: str) -> str:
    if any(map(_parts_words, value)):
        raise ValueError("must be one word, without white space")
    return value


Word = Annotated[str, StringConstraints(min_length=1), AfterValidator(_one_word)]
"""The value of an option: it cannot become a second option, or a second line of the script."""


class SlurmConfig(BaseModel):
    """The request of one process: `cpus_per_task` and `mem` (MB) are its own, all else holds for its SLURM job."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    partition: Word
    cpus_per_task: PositiveInt
    mem: PositiveInt
    job_name: Word
    constraint: Word | None = None
    gres: Word | None = None
    gpus: Word | None = None
    time: Word | None = None
    account: Word | None = None
    exclude: Word | None = None
    nodelist: Word | None = None
    nodes: PositiveInt | None = None
    extra_lines: list[str] = []
    shebang_line: str = "#!/bin/sh"
    use_mem_per_cpu: bool = False


def memory_mb(value: object) -> int:
    """`93` and `71M` in MB, `3G`, `2T`, with decimal factors; a number is MB already.

    Raises:
        PlanError: with the contract's text.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    found = re.fullmatch(r"([0-9]+)([MGT]?)", value) if isinstance(value, str) else None
    if found is None or int(found[1]) == 0:
        raise PlanError(
            f"[_parse_mem_value] raw_mem={value!r}, invalid specification of memory requirements "
            "(valid examples: 93, 71M, 93G, 71T)."
        )
    return int(found[1]) * MEMORY_UNITS_MB[found[2]]


def needs_gpu(meta: Mapping[str, Any]) -> bool:
    """Whether a workflow task asks for the GPU configuration.

    Raises:
        PlanError: neither a boolean nor its name.
    """
    value = meta.get("needs_gpu")
    if value is None or isinstance(value, bool):
        return bool(value)
    if not isinstance(value, str) or value.lower() not in {"true", "false"}:
        raise PlanError(f"Invalid needs_gpu={value!r}: String must be 'true' or 'false'.")
    return value.lower() == "true"


def resolve(
    runner_config: Mapping[str, Any],
    meta: Mapping[str, Any],
    *,
    task_name: str,
    account: str | None = None,
    worker_init: str | None = None,
) -> SlurmConfig:
    """Later sources override earlier ones: default, GPU section, workflow task, job; unknown keys of `meta` do not.

    Raises:
        PlanError: something is missing or not valid, in words that name it.
    """
    fields = _said(runner_config.get("default_slurm_config"))
    if needs_gpu(meta):
        fields |= _said(runner_config.get("gpu_slurm_config"))
    if meta.get("account") is not None:
        raise PlanError(
            f"Invalid account={meta['account']!r} property in WorkflowTask `meta` attribute.\n{ACCOUNT_ELSEWHERE}"
        )
    if meta.get("cpus_per_task") is not None:
        fields["cpus_per_task"] = positive_integer(meta, "cpus_per_task")
    if meta.get("mem") is not None:
        fields["mem"] = memory_mb(meta["mem"])
    fields |= {name: meta[name] for name in FROM_META if meta.get(name) is not None}
    fields["job_name"] = "".join("_" if _parts_words(one) or one in QUOTING else one for one in task_name)
    lines = [*fields.get("extra_lines", []), *_extra_lines(meta)]
    if account is not None:
        fields["account"] = account
    # Lines of a script of the user's own stay as they are: a second `fi` has its meaning.
    fields["extra_lines"] = [*dict.fromkeys(lines), *(worker_init.split("\n") if worker_init else [])]
    try:
        return SlurmConfig.model_validate(fields)
    except ValidationError as error:
        raise PlanError(str(error)) from None


def positive_integer(meta: Mapping[str, Any], name: str) -> int:
    """A number, or its digits as text.

    Raises:
        PlanError: naming the key.
    """
    value = meta[name]
    number = int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value) else value
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise PlanError(f"Invalid {name}={value!r} in WorkflowTask `meta` attribute: a positive integer is accepted.")
    return number


def check_worker_init(text: str) -> None:
    """A job's account is that of its submission, and no line of a script changes it.

    Raises:
        AccountLineError: with the contract's text.
    """
    line = next(_account_lines(text.split("\n")), None)
    if line is not None:
        raise AccountLineError(
            f"Invalid line in `common_script_lines`: '{line}'.\n"
            "SLURM account must be set via the request body of the apply-workflow endpoint, "
            "or by modifying the user properties."
        )


def _account_lines(lines: Iterable[str]) -> Iterator[str]:
    """Lines for sbatch that set an account, in whichever way it understands."""
    for line in lines:
        if not line.startswith(SBATCH):
            continue
        try:
            words = shlex.split(line.removeprefix(SBATCH), comments=True)
        except ValueError:  # an open quote
            words = line.split()
        if any(ACCOUNT_OPTION.match(word) for word in words):
            yield line


def _extra_lines(meta: Mapping[str, Any]) -> list[str]:
    value = meta.get("extra_lines")
    if value is None:
        return []
    given = cast("list[Any]", value) if isinstance(value, list) else []
    lines = [line for line in given if isinstance(line, str) and line and "\n" not in line]
    if not isinstance(value, list) or len(lines) < len(given):
        raise PlanError(f"Invalid extra_lines={value!r} in WorkflowTask `meta` attribute: a list of lines is accepted.")
    refused = next(_account_lines(lines), None)
    if refused is not None:
        raise PlanError(f"Invalid line in `extra_lines` of WorkflowTask `meta`: '{refused}'.\n{ACCOUNT_ELSEWHERE}")
    return lines


def _said(section: Mapping[str, Any] | None) -> dict[str, Any]:
    """Keys of a section that have a value of their own."""
    return {
        name: memory_mb(value) if name == "mem" else value
        for name, value in (section or {}).items()
        if value is not None and value != "" and value != UNSET.get(name)
    }
