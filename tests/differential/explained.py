"""Differences from the reference that are meant. Everything else that differs is an error of ours."""

import re

FAILS = "where the reference fails with a 500, ours says what is wrong"
FASTAPI = "a `null` as body: the FastAPI of the reference calls it missing, a later one calls it no object"
NUL = "a NUL character is refused where the reference looks for it in vain"
MERGE = "outputs that cannot be merged make the run fail, which in the reference stays submitted for ever"
TRACEBACK = "the error itself instead of the server's own traceback"
LIST = "an output that is no object makes its unit fail, as any other invalid output does"
FORM = "the text of a form's error, without the model that said it"
ANYWHERE = ".*"

# (request as printed, difference as printed) → why.
EXPLAINED: list[tuple[str, str, str]] = [
    (ANYWHERE, r"\.status: 500, ours [24]\d\d", FAILS),
    (ANYWHERE, r"\.body: 'Internal Server Error', ours \{.*", FAILS),
    (ANYWHERE, r"\.headers\.content-type: 'text/plain; charset=utf-8', ours 'application/json'", FAILS),
    (r".* null", r"\.body\.detail\[\d\]\.(msg|type): .*(missing|Field required).*", FASTAPI),
    (r".*\\x00.*", ANYWHERE, NUL),
    (
        ".* POST /project/.jp/job/submit/ .*'first_task_index': '.*",
        ANYWHERE,
        "indices are numbers, also when sent as texts",
    ),
    (".* /api/settings/database/.*", r"\.body\.POSTGRES_DB: .*", "each has its database"),
    (".* DELETE /admin/v2/resource/.*", ".*IntegrityError.*", "the database's own words, without the statement"),
    (
        ".* (PUT|DELETE|PATCH) /project/98765/(job/submit|workflow/import|workflow/import-from-template)/",
        r"\.headers\.allow: 'GET', ours 'POST'",
        "of two routes that match, one is named",
    ),
    (".*/job/[^/]*/stop/.*", ANYWHERE, "jobs of local resources can be stopped"),
    (".* GET /dataset/ with None", ANYWHERE, "an invitation that was not accepted shows no datasets"),
    (
        ".* POST /workflow-template/import/ reserved argument",
        ANYWHERE,
        "a template is refused that no workflow could be made from",
    ),
    (
        ".* POST /admin/v2/resource/ .*'mem': '0'.*",
        ANYWHERE,
        "no memory at all is refused where the reference divides by it later",
    ),
    (".* GET /task-group/activity/.*", r".*Command bash .*\.sh failed\..*", "what failed, instead of in which script"),
    (".*surely_not_installed.*", ".*Traceback.*", "the traceback of a process that looks for a package"),
    (".*", r".*\.status: 'submitted', ours 'failed'", MERGE),
    (
        ".*output_same_twice|.* GET (/project/.jp)?/job/",
        r".*\.log: 'UNKNOWN ERROR in Fractal job.*NonUniqueUrls.*",
        TRACEBACK,
    ),
    (".*output.list", ANYWHERE, LIST),
    (".* GET (/project/.jp)?/job/", r".*\.log: 'JOB ERROR .*must be a mapping, not list.*", LIST),
    (ANYWHERE, r".*'3\.13' or '3\.14'.*", "Python 3.15 can be configured, as with later releases"),
    (".* POST /task/collect/pip/ .*", r".*CollectionRequestData.*", FORM),
    (".* POST /task/collect/pip/ .*", r".*TaskGroupCreateStrict.*version='\.\.' names no folder\..*", FORM),
    (".* POST /task/collect/pip/ .*", r".*/simple/a%20b/.*", "a URL is shown as it is asked for"),
]
_COMPILED = [(re.compile(request), re.compile(difference), reason) for request, difference, reason in EXPLAINED]


def explanation(title: str, line: str) -> str | None:
    for request, difference, reason in _COMPILED:
        if request.fullmatch(title) and difference.fullmatch(line):
            return reason
    return None


NEVER_ONE = "single tasks are never deleted: always 405"
NO_STOP = "its server stops jobs on SLURM only, and says so before it looks at anything"

# (operation, kind of answer) → why the reference cannot be brought to give it here.
UNREACHABLE: dict[tuple[str, str], str] = {
    ("DELETE /api/v2/task/{task_id}/", "404"): NEVER_ONE,
    ("DELETE /api/v2/task/{task_id}/", "success"): NEVER_ONE,
    ("GET /admin/v2/job/{job_id}/stop/", "404"): NO_STOP,
    ("GET /admin/v2/job/{job_id}/stop/", "success"): NO_STOP,
    ("GET /api/v2/project/{project_id}/job/{job_id}/stop/", "404"): NO_STOP,
    ("GET /api/v2/project/{project_id}/job/{job_id}/stop/", "success"): NO_STOP,
    ("GET /api/v2/job/squeue/", "success"): "there is no SLURM (tests/slurm has one, for ours)",
    ("GET /api/v2/project/{project_id}/guest/", "404"): "who is not the owner is told 403, also of no project",
    ("POST /admin/v2/task-group/{task_group_id}/reset/pixi/", "success"): "it takes a group that pixi has installed",
}
