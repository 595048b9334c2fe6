"""Identity §15.6: `fractalctl recent`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from fractal_common.database.models import Job, TaskGroupActivity
from sqlalchemy import select
from sqlalchemy.orm import Session

from .fractalctl import fractalctl
from .rows import user


def job(status: str, start: datetime, end: datetime | None) -> Job:
    dumps = {name: {} for name in ("project_dump", "workflow_dump", "dataset_dump")}
    return Job(
        user_email="a@example.org",
        status=status,
        start_timestamp=start,
        end_timestamp=end,
        first_task_index=0,
        last_task_index=0,
        attribute_filters={},
        type_filters={},
        fractal_server_version="2.24.2",
        **dumps,
    )


def test_recent_shows_what_runs_and_what_has_just_ended(
    configured: Path, bare_environment: dict[str, str], session: Session
) -> None:
    def recent(*options: str) -> list[str]:
        done = fractalctl(configured, bare_environment, "recent", *options)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    nothing = "No fractal-server job or task-group activity during the last {} minutes."
    assert recent() == ["## Summary", nothing.format(20), ""]
    now = datetime.now(UTC).replace(microsecond=0)

    def ago(minutes: int) -> datetime:
        return now - timedelta(minutes=minutes)

    def shown(minutes: int) -> str:
        return ago(minutes).strftime("%Y-%m-%d %H:%M:%S")

    session.add_all([job("done", ago(50), ago(5)), job("failed", ago(9), ago(8)), job("done", ago(90), ago(40))])
    session.flush()
    somebody = user("b@example.org")
    session.add(somebody)
    session.flush()
    activity = {"user_id": somebody.id, "pkg_name": "pkg", "version": "1.0", "fractal_server_version": "2.24.2"}
    session.add(
        TaskGroupActivity(status="OK", action="collect", timestamp_started=ago(7), timestamp_ended=ago(6), **activity)
    )
    session.commit()
    first, failed, old = session.scalars(select(Job.id).order_by(Job.id))
    (collected,) = session.scalars(select(TaskGroupActivity.id))
    times = {first: f"{shown(50)}/{shown(5)}", failed: f"{shown(9)}/{shown(8)}", old: f"{shown(90)}/{shown(40)}"}

    def line(number: int, status: str) -> str:
        return f"ID={number} by a@example.org, current status: {status}, start/end time: {times[number]}."

    activities = [
        "## Recent task-group activities",
        f"ID={collected} by b@example.org, collect, pkg 1.0, current status: OK, "
        f"start/end time: {shown(7)}/{shown(6)}.",
        "",
    ]
    there_were = "There were fractal-server jobs and/or task-group activities during the last {} minutes."
    jobs = ["## Recent jobs", line(first, "done"), line(failed, "failed"), ""]
    assert recent() == ["## Summary", there_were.format(20), "", *jobs, *activities]
    jobs.insert(2, line(old, "done"))
    assert recent("--minutes", "60") == ["## Summary", there_were.format(60), "", *jobs, *activities]
    assert recent("--minutes", "0") == ["## Summary", nothing.format(0), ""]

    session.add(job("submitted", ago(500), None))
    session.commit()
    running = session.scalars(select(Job.id).where(Job.status == "submitted")).one()
    times[running] = f"{shown(500)}/-"
    assert recent("--minutes", "1") == [
        "## Summary",
        "There are ongoing fractal-server jobs and/or task-group activities.",
        "",
        "## Recent jobs",
        line(running, "submitted"),
        "",
    ]
