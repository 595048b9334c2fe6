"""As whom things are done, and what another user cannot do about it."""

import asyncio
import base64
import os
import pwd
import stat
import subprocess
import threading
import zipfile
from pathlib import Path

import pytest
from fractal_agent.delegate.confinement import Refused, Roots
from fractal_agent.delegate.following import look_at
from fractal_common.bus import BusError
from fractal_common.messages import FileChunk, FileRead, JobArchive, rpc_subject

from tests.slurm.accounts import SERVICE, USERS
from tests.slurm.site import Site

USER, OTHER, NOT_ALLOWED = USERS


def below(folder: Path) -> list[Path]:
    return [folder, *folder.rglob("*")]


async def read(site: Site, path: str, **more: str) -> FileChunk:
    subject = rpc_subject(site.resource_id, "files.read")
    return await site.bus.request(subject, FileRead(path=path, **more), FileChunk)  # type: ignore[arg-type]


async def test_everything_of_a_users_job_is_the_users(shared_site: Site) -> None:
    site = shared_site
    folder = site.project(USER) / "job"
    (run,) = site.wave("own", units=3, username=USER, working_dir_user=folder)
    await site.say(run)
    await site.finish(run)
    assert site.finished[run.batch].cause == "COMPLETED"
    uid = pwd.getpwnam(USER).pw_uid
    assert {path.stat().st_uid for path in below(folder)} == {uid}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750
    secret = below(folder / ".fractal")
    assert all(path.stat().st_mode & 0o077 == 0 for path in secret if path.is_dir()), "closed to all others"
    service = pwd.getpwnam(SERVICE).pw_uid
    assert {path.stat().st_uid for path in below(site.folder("own"))} == {service}
    asked = ("sacct", "-X", "-n", "-P", "-j", site.handles[run.batch], "-o", "User,JobName")
    await site.until(lambda: site.slurm.run(*asked).strip() == f"{USER}|{site.job_name}")


async def test_what_is_made_is_not_readable_by_the_world(shared_site: Site) -> None:
    site = shared_site
    folder = site.project(USER) / "job"
    (run,) = site.wave("closed", username=USER, working_dir_user=folder, token="a secret argument")
    await site.say(run)
    await site.finish(run)
    for path in ("spec.json", "results.jsonl"):
        file = folder / ".fractal" / run.batch / path
        done = subprocess.run(["runuser", "-u", OTHER, "--", "cat", str(file)], capture_output=True)
        assert done.returncode != 0
    done = subprocess.run(["runuser", "-u", OTHER, "--", "ls", str(folder)], capture_output=True)
    assert done.returncode != 0
    records = below(site.folder("closed") / ".fractal" / "waves")
    done = subprocess.run(["runuser", "-u", OTHER, "--", "cat", *map(str, records)], capture_output=True)
    assert done.stdout == b""
    assert (site.root / "state-first" / "audit.jsonl").stat().st_mode & 0o077 == 0


async def test_nothing_of_the_agents_environment_reaches_a_task(shared_site: Site) -> None:
    site = shared_site
    code = "print(json.dumps(dict(os.environ)))"
    folder = site.project(USER) / "job"
    (run,) = site.wave("environment", username=USER, working_dir_user=folder, codes={0: code})
    await site.say(run)
    await site.finish(run)
    text = (folder / "0_task" / "par-000000-0000000-log.txt").read_text()
    assert '"FRACTAL_CACHE_DIR"' in text
    assert "FRACTAL_NATS" not in text
    assert "SUDO_" not in text
    assert f'"HOME": "{pwd.getpwnam(USER).pw_dir}"' in text


async def test_logs_are_read_as_the_user_while_the_task_runs(shared_site: Site) -> None:
    site = shared_site
    folder = site.project(USER) / "job"
    (run,) = site.wave("live", username=USER, working_dir_user=folder, sleep=60)
    await site.say(run)
    await site.until_started("live", 1)
    log = "0_task/par-000000-0000000-log.txt"
    for path, more in ((f"{run.working_dir}/{log}", {}), (f"{folder}/{log}", {"username": USER})):
        chunk = await read(site, path, **more)
        assert base64.b64decode(chunk.data_base64) == b"unit 0\n"
    with pytest.raises(BusError, match="not below a directory of this user"):
        await read(site, f"{folder}/{log}", username=OTHER)
    with pytest.raises(BusError, match="may not act as Unix user"):
        await read(site, f"{folder}/{log}", username=NOT_ALLOWED)
    await site.cancel(run)
    await site.finish(run)


async def test_the_archive_has_the_users_files(shared_site: Site) -> None:
    site = shared_site
    folder = site.project(USER) / "job"
    (run,) = site.wave("zip", units=2, username=USER, working_dir_user=folder)
    await site.say(run)
    await site.finish(run)
    (folder / "0_task" / "link").symlink_to("/etc/shadow")
    await site.say(JobArchive(job_id=run.job_id, working_dir=run.working_dir, workflow_log="all lines\n"))
    final = Path(run.working_dir + ".zip")
    await site.until(final.exists)
    names = {
        f"0_task/par-000000-{n:07d}-{kind}" for n in range(2) for kind in ("args.json", "log.txt", "metadiff.json")
    }
    raw = site.handles[run.batch]
    slurm = {f"0_task/par-000000-slurm-{end}" for end in ("submit.sh", f"{raw}.out", f"{raw}.err")}
    with zipfile.ZipFile(final) as archive:
        assert set(archive.namelist()) == {"workflow.log"} | names | slurm
        assert archive.read("workflow.log") == b"all lines\n"
    assert pwd.getpwuid(final.stat().st_uid).pw_name == SERVICE


@pytest.mark.parametrize("username", [NOT_ALLOWED, "root", "nobody-at-all", "-o", f"{USER} -u root", "../x"])
async def test_a_user_that_the_agent_does_not_know_is_refused(shared_site: Site, username: str) -> None:
    site = shared_site
    (run,) = site.wave("refused", username=username, working_dir_user=site.project(USER) / "job")
    await site.say(run)
    await site.finish(run)
    event = site.finished[run.batch]
    assert event.cause == "REFUSED"
    assert event.error is not None
    assert username in event.error
    assert site.started("refused") == []
    (line,) = [line for line in site.audit() if "refused" in line]
    assert (line["who"], line["as"]) == (SERVICE, username)


async def test_what_sudo_does_not_allow_fails_with_its_words(shared_site: Site) -> None:
    site = shared_site
    site.kill()
    site.start(FRACTAL_AGENT_USERS="", FRACTAL_AGENT_USER_PATTERN="nobod.")
    (run,) = site.wave("sudo", username="nobody", working_dir_user=site.project(USER) / "job")
    await site.say(run)
    await site.finish(run)
    event = site.finished[run.batch]
    assert event.cause == "USER_UNAVAILABLE"
    assert "sudo" in str(event.error)


@pytest.mark.parametrize(
    "command", [["/bin/ls", "/"], ["{delegate}", "argument"], ["/usr/bin/sbatch", "--wrap", "true"], ["/bin/sh"]]
)
def test_sudo_allows_the_one_command_of_the_docs(delegate: Path, command: list[str]) -> None:
    argv = [part.format(delegate=delegate) for part in command]
    asked = ["runuser", "-u", SERVICE, "--", "sudo", "-n", "-u", USER, *argv]
    assert subprocess.run(asked, capture_output=True, stdin=subprocess.DEVNULL).returncode != 0
    allowed = ["runuser", "-u", SERVICE, "--", "sudo", "-n", "-u", USER, str(delegate)]
    assert subprocess.run(allowed, capture_output=True, stdin=subprocess.DEVNULL).returncode == 0
    as_root = ["runuser", "-u", SERVICE, "--", "sudo", "-n", str(delegate)]
    assert subprocess.run(as_root, capture_output=True, stdin=subprocess.DEVNULL).returncode != 0


@pytest.mark.parametrize(
    "place", ["/etc/fractal", "{other}/job", "{project}/../../" + OTHER + "/job", "{project}/out/job", "relative"]
)
async def test_a_folder_that_is_not_the_users_is_refused(shared_site: Site, place: str) -> None:
    site = shared_site
    project, other = site.project(USER), site.project(OTHER)
    other.chmod(0o777)
    (project / "out").symlink_to(other)
    (run,) = site.wave("outside", username=USER, working_dir_user=Path(place.format(project=project, other=other)))
    await site.say(run)
    await site.until(lambda: run.batch in site.finished or site.refused)
    if run.batch in site.finished:
        assert site.finished[run.batch].cause == "FOLDER_ERROR"
        assert "not below a directory of this user" in str(site.finished[run.batch].error)
    assert list(other.iterdir()) == []
    assert site.started("outside") == []


@pytest.mark.parametrize("name", ["../../x", "-o", "a b", "x;touch y", "/etc/x"])
async def test_names_are_names(shared_site: Site, name: str) -> None:
    site = shared_site
    (run,) = site.wave("name", username=USER, working_dir_user=site.project(USER) / "job")
    await site.say(run.model_copy(update={"batch": name}), run.model_copy(update={"wave": name}))
    await site.until(lambda: len(site.refused) == 2)
    assert all("is not the name of" in refused.error for refused in site.refused)


@pytest.mark.parametrize(
    "options",
    [
        {"partition": "main\n#SBATCH --uid=root"},
        {"job-name": 'x" --uid=root "'},
        {"account": "$(touch /tmp/x)"},
        {"o": "/tmp/x"} | {"-o": "/tmp/x"},
        {"wrap=x;": "y"},
    ],
)
async def test_an_option_is_one_word_of_one_line(shared_site: Site, options: dict[str, str]) -> None:
    site = shared_site
    (run,) = site.wave("option", username=USER, working_dir_user=site.project(USER) / "job", options=options)
    await site.say(run)
    await site.finish(run)
    assert site.finished[run.batch].cause == "SUBMIT_FAILED"
    assert site.started("option") == []


async def test_a_folder_swapped_for_a_link_leads_nowhere(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    (inside / "a").mkdir(parents=True)
    outside.mkdir()
    (tmp_path / "spare").mkdir()
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            (inside / "a").rename(tmp_path / "held")
            (inside / "a").symlink_to(outside)
            (inside / "a").unlink()
            (tmp_path / "held").rename(inside / "a")

    swapper = threading.Thread(target=swap)
    swapper.start()
    roots = Roots([str(inside)])
    written = refused = 0
    try:
        for _ in range(3000):
            try:
                roots.write(str(inside / "a" / "file"), b"x", 0o600)
                written += 1
            except (OSError, Refused):
                refused += 1
    finally:
        over.set()
        await asyncio.to_thread(swapper.join)
    assert list(outside.iterdir()) == []
    assert written and refused


def test_results_of_another_user_or_behind_a_link_do_not_count(tmp_path: Path) -> None:
    roots = Roots([str(tmp_path)])
    forged = tmp_path / "results.jsonl"
    forged.write_text('{"index": 0, "status": "done"}\n')
    assert look_at(roots, str(tmp_path), 0)["lines"] == forged.read_text()
    os.chown(forged, pwd.getpwnam(OTHER).pw_uid, -1)
    assert "not a file of this user" in look_at(roots, str(tmp_path), 0)["error"]
    forged.rename(tmp_path / "elsewhere")
    forged.symlink_to(tmp_path / "elsewhere")
    assert "error" in look_at(roots, str(tmp_path), 0)
    forged.unlink()
    os.mkfifo(forged)
    assert "not a file of this user" in look_at(roots, str(tmp_path), 0)["error"]


async def test_the_audit_log_tells_who_what_when_why(shared_site: Site) -> None:
    site = shared_site
    (run,) = site.wave("audit", username=USER, working_dir_user=site.project(USER) / "job", sleep=60)
    await site.say(run)
    await site.until_started("audit", 1)
    await site.cancel(run)
    await site.finish(run)
    lines = {line["what"]: line for line in site.audit()}
    assert set(lines) == {"act as user", "sbatch", "scancel"}
    for what in ("sbatch", "scancel"):
        assert (lines[what]["who"], lines[what]["as"]) == (SERVICE, USER)
        assert lines[what]["when"].startswith("20")
        assert f"job {run.job_id}" in lines[what]["why"]
        assert what in lines[what]["command"]


async def test_an_agent_without_sudo_runs_as_its_own_user(quiet_site: Site) -> None:
    site = quiet_site
    jobs = site.project(USER) / "jobs"
    site.slurm.run("mkdir", str(jobs), user=USER)
    site.jobs = jobs
    site.start(user=USER, FRACTAL_RUNNER_WORKING_BASE_DIR=str(jobs))
    (run,) = site.wave("ssh", units=2, username=USER, working_dir_user=site.project(USER) / "remote")
    await site.say(run)
    await site.finish(run)
    assert site.finished[run.batch].cause == "COMPLETED"
    assert {path.owner() for path in below(site.project(USER) / "remote")} == {USER}
