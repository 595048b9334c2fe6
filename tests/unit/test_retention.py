"""Old job folders: removed if they are jobs', old, and not in use; nothing else is."""

import os
import time
from pathlib import Path

from fractal_agent.retention import sweep

DAY_S = 24 * 3600.0


def make(path: Path, age_days: float, *, folder: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if folder:
        path.mkdir()
        (path / "workflow.log").touch()
    else:
        path.touch()
    stamp = time.time() - age_days * DAY_S
    os.utime(path, (stamp, stamp))
    return path


def test_only_old_and_idle_jobs_are_removed(tmp_path: Path) -> None:
    jobs, outside = tmp_path / "jobs", tmp_path / "outside"
    name = "proj_v2_0000001_wf_0000001_job_000000{}_20260101_000000"
    old = make(jobs / "2026-01" / name.format(1), 40)
    archive = make(jobs / "2026-01" / f"{name.format(2)}.zip", 40, folder=False)
    kept = [
        make(jobs / "2026-01" / name.format(3), 20),
        make(jobs / "2026-01" / name.format(4), 40),
        make(jobs / "2026-01" / "notes", 40),
        make(jobs / ".fractal-agent" / name.format(5), 40),
        make(outside / name.format(6), 40),
    ]
    (jobs / "2026-02").symlink_to(outside)
    (jobs / "2026-01" / name.format(7)).symlink_to(kept[-1])
    assert sweep(jobs, keep_s=30 * DAY_S, busy=[kept[1]]) == 2
    assert not old.exists()
    assert not archive.exists()
    assert all((path / "workflow.log").exists() for path in kept)
