"""One who follows a job's events on whichever api replica answers, and comes back behind the last one."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import httpx
from fractal_common.security import issue_token

from .stack import Stack


@dataclass
class Follower:
    """`ids` and `events` in the order in which they came."""

    stack: Stack
    project_id: int
    job_id: int
    ids: list[tuple[int, int]] = field(default_factory=list)
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return any(kind == "job" and data["status"] != "submitted" for kind, data in self.events)

    async def run(self) -> None:
        """Until the job is over, replica after replica."""
        token = issue_token(1, key=self.stack.jwt_key, lifetime_s=3600)
        path = f"/api/v2/project/{self.project_id}/job/{self.job_id}/events/"
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=httpx.Timeout(3)) as client:
            while not self.is_over:
                for port in self.stack.api_ports.values():
                    try:
                        await self._read(client, f"http://127.0.0.1:{port}{path}")
                    except httpx.HTTPError:
                        await asyncio.sleep(0.05)

    async def _read(self, client: httpx.AsyncClient, url: str) -> None:
        last = {"Last-Event-ID": "-".join(map(str, self.ids[-1]))} if self.ids else {}
        async with client.stream("GET", url, headers=last) as answer:
            if answer.status_code in (500, 503):  # Postgres is away
                await asyncio.sleep(0.1)
                return
            assert answer.status_code in (200, 204), answer.status_code
            event: dict[str, str] = {}
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if line:
                    event[name] = value
                elif "id" in event:
                    xid, _, number = event["id"].partition("-")
                    self.ids.append((int(xid), int(number)))
                    self.events.append((event["event"], json.loads(event["data"])))
                    event = {}
