"""One request sent to the reference and to ours, and what differs in their answers."""

import json
import re
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from .explained import explanation
from .normal import Normaliser, differences, in_order

VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
FILLED = {"json", "params", "data"}
POLL_S = 0.1
PASSWORD = "a password of a difference"
"""Everybody's."""
ANY_ORDER = ("/auth/users/", "/task-group/activity/", "/images/non-processed/", "/allowed-viewer-paths/")
"""Ends of paths of lists that the reference has in no order."""


@dataclass
class Side:
    """One of the two servers, with the people who use it."""

    name: str
    url: str
    normaliser: Normaliser
    people: dict[str, httpx.Client] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)

    def login(self, who: str, email: str, password: str) -> None:
        client = httpx.Client(base_url=self.url, timeout=120)
        answer = client.post("/auth/token/login/", data={"username": email, "password": password})
        client.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"
        self.people[who] = client

    def filled(self, value: Any) -> Any:
        """`$name` is what was saved under that name: a number where it stands alone, else part of a text."""
        match value:
            case dict():
                return {self.filled(key): self.filled(item) for key, item in value.items()}
            case list() | tuple():
                return [self.filled(item) for item in value]
            case str():
                alone = VARIABLE.fullmatch(value)
                if alone:
                    return self._variable(alone)
                return VARIABLE.sub(lambda match: str(self._variable(match)), value)
            case _:
                return value

    def _variable(self, match: re.Match[str]) -> Any:
        return self.variables[match.group(1) or match.group(2)]

    def send(self, who: str, method: str, path: str, arguments: dict[str, Any]) -> httpx.Response:
        parts = {
            key: self.filled(item) if key in {"json", "params", "data"} else item for key, item in arguments.items()
        }
        # Errors close the reference's connections, sometimes only after the next request was sent.
        for _ in range(3):
            try:
                return self.people[who].request(method, str(self.filled(path)), **parts)
            except (httpx.RemoteProtocolError, httpx.ReadError):
                continue
        raise ConnectionError(f"{self.name} does not answer {method} {path}")

    def close(self) -> None:
        for client in self.people.values():
            client.close()


@dataclass(frozen=True)
class Sent:
    """A request, for the report: which one, and how it was answered."""

    method: str
    path: str
    theirs: int
    ours: int


class Pair:
    """Both servers; every request goes to both, and is compared."""

    def __init__(self, theirs: Side, ours: Side) -> None:
        self.theirs, self.ours = theirs, ours
        self.sent: list[Sent] = []
        self.unexplained: list[str] = []
        self.explained: dict[str, int] = {}
        self.scenario = ""

    def call(
        self,
        who: str,
        method: str,
        path: str,
        *,
        save: str = "",
        note: str = "",
        any_order: bool = False,
        **arguments: Any,
    ) -> Any:
        """Our answer's body.

        `save`: remember the `id` of both answers (of the first, in a list) under this name; `any_order`: of lists and
        pages.
        """
        full = path if path.startswith(("/auth", "/admin", "/api")) else f"/api/v2{path}"
        answers = [side.send(who, method, full, arguments) for side in (self.theirs, self.ours)]
        bodies = [_body(answer) for answer in answers]
        if save:
            for side, body in zip((self.theirs, self.ours), bodies, strict=True):
                first = body[0] if isinstance(body, list) and body else body
                if isinstance(first, dict) and isinstance(first.get("id"), int):
                    side.variables[save] = first["id"]
                    side.normaliser.remember(save, first["id"])
        seen = [self._seen(side, *pair) for side, *pair in zip((self.theirs, self.ours), answers, bodies, strict=True)]
        if any_order or path.endswith(ANY_ORDER):
            seen = [one | {"body": in_order(one["body"])} for one in seen]
        title = f"{self.scenario}: {who} {method} {path} {note}".strip()
        for line in differences(*seen):
            reason = explanation(title, line)
            if reason is None:
                self.unexplained.append(f"{title}\n      {line.removeprefix('.')}")
            else:
                self.explained[reason] = self.explained.get(reason, 0) + 1
        self.sent.append(Sent(method, full, *(answer.status_code for answer in answers)))
        return bodies[1]

    def each(self, who: str, method: str, path: str, **arguments: Any) -> None:
        """On both, without comparing: what brings them into the state that is to be compared."""
        for side in (self.theirs, self.ours):
            side.send(who, method, path if path.startswith(("/auth", "/admin")) else f"/api/v2{path}", arguments)

    def save(self, name: str, **values: Any) -> None:
        """A value of each side: `theirs=…, ours=…`."""
        for side, value in ((self.theirs, values["theirs"]), (self.ours, values["ours"])):
            side.variables[name] = value
            if isinstance(value, int):
                side.normaliser.remember(name, value)

    def wait(self, who: str, path: str, key: str = "status", until: tuple[str, ...] = ("done", "failed", "OK")) -> None:
        """Until the object at `path` has one of these statuses, on both."""
        for side in (self.theirs, self.ours):
            deadline = time.monotonic() + 120
            while True:
                body = _body(side.send(who, "GET", f"/api/v2{path}", {}))
                if isinstance(body, dict) and body.get(key) in until:
                    break
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{side.name}: {path} is {body}")
                time.sleep(POLL_S)

    def pick(self, who: str, path: str, name: str, choose: Any, **arguments: Any) -> None:
        """Save what `choose` finds in each answer."""
        found = {}
        method = arguments.pop("method", "GET")
        for key, side in (("theirs", self.theirs), ("ours", self.ours)):
            found[key] = choose(_body(side.send(who, method, f"/api/v2{path}", arguments)))
        self.save(name, **found)

    def _seen(self, side: Side, answer: httpx.Response, body: Any) -> dict[str, Any]:
        headers = {
            name: answer.headers[name].replace(side.url, "<url>")
            for name in ("content-type", "location", "allow", "content-disposition")
            if name in answer.headers
        }
        if "location" in headers:
            headers["location"] = re.sub(r"https?://[^/]+", "<url>", headers["location"])
        return {
            "status": answer.status_code,
            "headers": side.normaliser.value(headers),
            "body": side.normaliser.value(_public(body)),
        }


def _public(body: Any) -> Any:
    """Validation errors without what was given, which clients do not look at."""
    if isinstance(body, dict) and isinstance(body.get("detail"), list):
        return body | {"detail": [_what_clients_read(item) for item in body["detail"]]}
    return body


def _what_clients_read(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    location = [re.sub(r"function-\w+\[.*", "<validator>", str(part)) for part in item.get("loc", [])]
    return {"type": item.get("type"), "msg": item.get("msg"), "loc": location}


def _body(answer: httpx.Response) -> Any:
    if "json" in answer.headers.get("content-type", ""):
        try:
            return json.loads(answer.content)
        except ValueError:
            pass
    if "zip" in answer.headers.get("content-type", ""):
        return f"<zip of {'nothing' if len(answer.content) == 22 else 'something'}>"
    return answer.text
