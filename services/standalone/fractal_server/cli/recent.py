"""`fractalctl recent`."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from fractal_common.database.base import utcnow
from fractal_common.database.sessions import Database
from fractal_common.settings import database_settings
from fractal_jobs.queries import recent as queries
from fractal_jobs.queries import scheduler


async def recent(minutes: int) -> None:
    """What runs now or ended within the last minutes. Changes nothing."""
    database = Database.connect(database_settings(), process="fractalctl", pool_size=1)
    try:
        async with database.session() as session:
            since = utcnow() - timedelta(minutes=minutes)
            jobs = await queries.jobs(session, since)
            activities = await queries.activities(session, since)
            measured = await scheduler.measured(session, [row.id for row in jobs])
    finally:
        await database.close()
    print("## Summary")
    if any(row.is_open for row in (*jobs, *activities)):
        print("There are ongoing fractal-server jobs and/or task-group activities.")
    elif jobs or activities:
        print(f"There were fractal-server jobs and/or task-group activities during the last {minutes} minutes.")
    else:
        print(f"No fractal-server job or task-group activity during the last {minutes} minutes.")
    print()
    _section("## Recent jobs", jobs, {job_id: used.words for job_id, used in measured.items()})
    _section("## Recent task-group activities", activities, {})


def _section(title: str, rows: list[queries.Recent], used: Mapping[int, str]) -> None:
    if not rows:
        return
    print(title)
    for row in rows:
        what = "".join(f", {part}" for part in row.what)
        times = f"{_shown(row.start)}/{_shown(row.end)}"
        took = f", {used[row.id]}" if row.id in used else ""
        print(f"ID={row.id} by {row.email}{what}, current status: {row.status}, start/end time: {times}{took}.")
    print()


def _shown(moment: datetime | None) -> str:
    return "-" if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S")
