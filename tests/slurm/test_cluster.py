"""The cluster itself: what the other tests take for granted."""

from tests.processes import until
from tests.slurm.accounts import USERS
from tests.slurm.cluster import SlurmCluster


def test_a_job_of_a_user_ends_and_is_accounted(slurm: SlurmCluster) -> None:
    wrap = ("sbatch", "--parsable", "-o", "/dev/null", "-D", "/", "--wrap", "exit 3")
    job = slurm.run(*wrap, user=USERS[0]).strip()
    row = ("sacct", "-X", "-n", "-P", "-j", job, "-o", "State,ExitCode,User")
    until(lambda: slurm.run(*row).strip() == f"FAILED|3:0|{USERS[0]}", "sacct knows the end")


def test_without_slurmdbd_sacct_is_refused(slurm_without_accounting: SlurmCluster) -> None:
    job = slurm_without_accounting.run("sbatch", "--parsable", "-o", "/dev/null", "-D", "/", "--wrap", "true").strip()
    state = ("squeue", "-h", "-t", "all", "-j", job, "-o", "%T")
    until(lambda: slurm_without_accounting.run(*state).strip() == "COMPLETED", "the job ends")
    assert slurm_without_accounting.run("sacct", "-j", job, check=False) == ""
