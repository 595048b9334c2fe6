"""What SLURM is asked for: the allocation script, as text. Nothing here touches a file."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fractal_common.messages import SlurmJob

OPTION = re.compile(r"[a-z][a-z-]*")
PLAIN = re.compile(r"[A-Za-z0-9_.,:;/@%+=\-\[\]*&|()!~^]*")
FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\"'\\`$]")
EXPORT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
NODES = re.compile(r"\s(--nodes|--nodelist|-N|-w)")
MAX_WORKER_STARTS = 3

WORKER = """\
echo "Hostname: $(uname -n)"
echo "Current directory: $(pwd)"
echo "Start time: $(date +"%Y-%m-%dT%H:%M:%S%z")"

[ -e {token}.job ] || echo "${{SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}}" > {token}.job

# SLURM tells this shell alone that it ends the job; the worker needs a moment, to write down what has ended well.
worker= told= starts=1
trap 'told=1; kill -TERM "$worker" 2> /dev/null || :' TERM
while :; do
    {python} -I -S {worker} {submission} &
    worker=$!
    status=0
    wait "$worker" || status=$?
    while kill -0 "$worker" 2> /dev/null; do
        status=0
        wait "$worker" || status=$?
    done
    # If it was killed its units go on, and it starts again.
    [ "$status" = 137 ] && [ "$starts" -lt {starts} ] && [ -z "$told" ] || break
    starts=$((starts + 1))
done

echo "End time:   $(date +"%Y-%m-%dT%H:%M:%S%z")"
exit "$status"
"""


class InvalidRequest(Exception):
    """What is asked for cannot be said to SLURM; the message names option and value."""


@dataclass(frozen=True)
class Paths:
    """Where things are for the user on the nodes."""

    folder: str
    """Working directory of the job."""
    output: str
    """Name of the output files without their endings, SLURM's patterns in it."""
    submission: str
    """The file that tells each place of the array its batch."""
    token: str
    worker: str
    python: str


def script(job: SlurmJob, paths: Paths) -> str:
    """Shebang, all `#SBATCH` lines, then shell, in the order that operators know.

    Raises:
        InvalidRequest: an option or export that is not one line of plain text.
    """
    directives = [line for line in job.extra_lines if line.startswith("#SBATCH")]
    shell = [line for line in job.extra_lines if not line.startswith("#SBATCH")]
    outputs = {"err": f"{paths.output}.err", "out": f"{paths.output}.out"}
    lines = [
        _line("shebang_line", job.shebang_line),
        *(directive(name, value) for name, value in options(job).items()),
        *(_line("extra_lines", line) for line in directives),
        *(directive(name, f"{paths.folder}/{value}") for name, value in outputs.items()),
        f"#SBATCH -D {_value('-D', paths.folder)}",
        *(_line("extra_lines", line) for line in shell),
        *(export(name, value) for name, value in job.exports.items()),
        "",
        WORKER.format(
            python=shlex.quote(paths.python),
            worker=shlex.quote(paths.worker),
            submission=shlex.quote(paths.submission),
            token=shlex.quote(paths.token),
            starts=MAX_WORKER_STARTS,
        ),
    ]
    return "\n".join(lines)


def options(job: SlurmJob) -> dict[str, str]:
    """Of sbatch: those that are configured, and one node where nothing is said of nodes.

    The processes of a job are a pool on its first node: on others SLURM would keep room that nothing uses.
    """
    several = re.search(r"[,\[]", job.options.get("nodelist", ""))
    if several or any(line.startswith("#SBATCH") and NODES.search(line) for line in job.extra_lines):
        return job.options
    return {**job.options, "nodes": job.options.get("nodes", "1")}


def arguments(job: SlurmJob, comment: str, places: Sequence[int] | None, file: str) -> list[str]:
    """Of sbatch: what must hold whatever the script's lines say. `places` are those of a job array."""
    said = given_comment(job.extra_lines)
    options = ["--parsable", f"--comment={comment}{' ' + said if said else ''}"]
    if places is not None:
        options.append(f"--array={ranges(places)}")
    return [*options, file]


def directive(name: str, value: str) -> str:
    if not OPTION.fullmatch(name):
        raise InvalidRequest(f"{name!r} is not the name of an sbatch option")
    return f"#SBATCH --{name}={_value(name, value)}"


def export(name: str, value: str) -> str:
    if not EXPORT.fullmatch(name):
        raise InvalidRequest(f"{name!r} cannot be exported: it is not the name of a variable")
    return f"export {name}={shlex.quote(_line(name, value))}"


def ranges(places: Sequence[int]) -> str:
    """`0-3,7`."""
    found: list[list[int]] = []
    for place in sorted(places):
        if found and place == found[-1][1] + 1:
            found[-1][1] = place
        else:
            found.append([place, place])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in found)


def given_comment(lines: Sequence[str]) -> str:
    """The comment that an operator or user asks for in lines of theirs."""
    found = [match[1] for line in lines if (match := re.match(r"#SBATCH\s+--comment[= ]\s*[\"']?([^\"']*)", line))]
    return FORBIDDEN.sub("", found[-1]).strip() if found else ""


def _value(name: str, value: str) -> str:
    """As sbatch reads it: in quotes where a space or `#` would end it."""
    if FORBIDDEN.search(value):
        raise InvalidRequest(f"{name}={value!r}: quotes, $, backslashes and control characters are not accepted")
    return value if PLAIN.fullmatch(value) else f'"{value}"'


def _line(name: str, line: str) -> str:
    if "\n" in line or "\r" in line or "\0" in line:
        raise InvalidRequest(f"{name}: {line!r} is more than one line")
    return line


def output_name(prefix: str, number: int, block: int | None) -> str:
    """`par-000003-slurm-%j` for each batch; in an array the place stands for the last digits of the number."""
    if block is None:
        return f"{prefix}-slurm-%j"
    digits = len(str(block)) - 1
    kind = prefix.rpartition("-")[0]
    return f"{kind}-{number // block:0{6 - digits}d}%{digits}a-slurm-%j"


def exports_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that the agent hands on to SLURM's commands."""
    return {name: environment[name] for name in ("SLURM_CONF", "LANG", "LC_ALL", "TZ") if name in environment}


def submission(directories: Mapping[str, str]) -> str:
    """What the worker reads to find its batch: directories by place; the empty place for a job that is no array."""
    return json.dumps({"version": 1, "batches": dict(directories)})
