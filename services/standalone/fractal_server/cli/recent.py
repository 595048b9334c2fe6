"""`fractalctl recent`."""

from datetime import datetime, timedelta

from fractal_common.database.base import utcnow
from fractal_common.database.sessions import Database
from fractal_common.settings import database_settings
from fractal_jobs.queries import recent as queries


async def recent(minutes: int) -> None:
    """What runs now or ended within the last minutes. Changes nothing."""
    database = Database.connect(database_settings(), process="fractalctl", pool_size=1)
    try:
        async with database.session() as session:
            since = utcnow() - timedelta(minutes=minutes)
            jobs = await queries.jobs(session, since)
            activities = await queries.activities(session, since)
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
    _section("## Recent jobs", jobs)
    _section("## Recent task-group activities", activities)


def _section(title: str, rows: list[queries.Recent]) -> None:
    if not rows:
        return
    print(title)
    for row in rows:
        what = "".join(f", {part}" for part in row.what)
        times = f"{_shown(row.start)}/{_shown(row.end)}"
        print(f"ID={row.id} by {row.email}{what}, current status: {row.status}, start/end time: {times}.")
    print()


def _shown(moment: datetime | None) -> str:
    return "-" if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S")
