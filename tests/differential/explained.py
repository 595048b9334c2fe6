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
    (r".* null", r"\.body\.detail\[0\]\.(msg|type): .*(missing|Field required).*", FASTAPI),
    (r".*\\x00.*", ANYWHERE, NUL),
    (
        ".* POST /project/.jp/job/submit/ .*'first_task_index': '.*",
        ANYWHERE,
        "indices are numbers, also when sent as texts",
    ),
    (".* GET /auth/users/", r"\.body\[.*", "accounts come in the order of their ids, in the reference in none"),
    (".* GET /auth/current-user/allowed-viewer-paths/", r"\.body\[.*", "the order of viewer paths is free"),
    (".* DELETE /admin/v2/resource/.*", ".*IntegrityError.*", "the database's own words, without the statement"),
    (".*/job/98765/stop/", ANYWHERE, "jobs of local resources can be stopped"),
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
    (
        ".* POST /task/collect/pip/ .*",
        r".*CollectionRequestData.*When no `file` is provided, `package` is required\..*",
        FORM,
    ),
]
_COMPILED = [(re.compile(request), re.compile(difference), reason) for request, difference, reason in EXPLAINED]


def explanation(title: str, line: str) -> str | None:
    for request, difference, reason in _COMPILED:
        if request.fullmatch(title) and difference.fullmatch(line):
            return reason
    return None
