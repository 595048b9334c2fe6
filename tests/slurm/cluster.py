"""A real SLURM cluster on this machine: slurmctld, slurmd nodes, munge, and slurmdbd with its database if wanted.

`python -m tests.slurm.cluster` starts one as root, prints the environment that reaches it, and stops it at a signal.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.slurm import accounts, packages
from tests.slurm.configuration import CGROUP, Shape

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 20
ACCOUNT = "lab"


class ClusterError(Exception):
    """A daemon does not do what it should; its log is quoted."""


class SlurmCluster:
    """Configuration, state and process ids below one directory; nothing of the machine's own SLURM is touched."""

    def __init__(self, root: Path, shape: Shape) -> None:
        self.root = root
        self.shape = shape
        self.conf = root / "etc" / "slurm.conf"
        self.environment = {"SLURM_CONF": str(self.conf)}
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, *argv: str, user: str | None = None, check: bool = True) -> str:
        """Output of a command that reaches this cluster, as root or as a user."""
        prefix = ["runuser", "-u", user, "--"] if user else []
        done = subprocess.run(
            [*prefix, *argv],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=60,
            cwd="/",
        )
        if check and done.returncode:
            raise ClusterError(f"{argv}: {done.stderr or done.stdout}")
        return done.stdout

    def start(self) -> None:
        for name in ("etc", "run", "log", "state", "spool", "mysql"):
            (self.root / name).mkdir(exist_ok=True)
        for name in ("log", "state", "run"):
            shutil.chown(self.root / name, "slurm", "slurm")
        self.conf.write_text(self.shape.slurm_conf(self.root, os.uname().nodename.split(".")[0]))
        if self.shape.memory_is_constrained:
            (self.root / "etc" / "cgroup.conf").write_text(CGROUP)
        start_munge()
        if self.shape.accounting:
            self._start_database()
            self.start_slurmdbd()
        self.start_slurmctld()
        for name in self.shape.node_names:
            self.start_node(name)
        wait(self.nodes_are_ready, "nodes are ready", self.log("slurmctld"))
        if self.shape.accounting:
            self._make_associations()

    def stop(self) -> None:
        for name in [*self.shape.node_names]:
            self.resume_node(name)
        if self.is_running("slurmctld"):
            ids = self.run("squeue", "-h", "-r", "-o", "%A", check=False).split()
            if ids:
                self.run("scancel", *ids, check=False)
            active = ("squeue", "-h", "-t", "R,CG,S", "-o", "%A")
            wait(lambda: not self.run(*active, check=False).strip(), "jobs end", self.log("slurmctld"))
        for name in [*(f"slurmd.{node}" for node in self.shape.node_names), "slurmctld", "slurmdbd", "mariadbd"]:
            self.kill(name, signal.SIGTERM)

    # Daemons, which tests kill and start again

    def start_slurmctld(self) -> None:
        self._spawn("slurmctld", ["slurmctld", "-D", "-f", str(self.conf)])
        ping = ("scontrol", "ping")
        wait(lambda: "is UP" in self.run(*ping, check=False), "slurmctld answers", self.log("slurmctld"))

    @contextmanager
    def configured(self, **settings: str) -> Generator[None]:
        """slurmctld runs with other settings for a while."""
        before = self.conf.read_text()
        kept = [line for line in before.splitlines() if line.partition("=")[0] not in settings]
        changed = [f"{name}={value}" for name, value in settings.items()]
        self._restart_slurmctld("\n".join([*changed, *kept, ""]))
        try:
            yield
        finally:
            self._restart_slurmctld(before)

    def _restart_slurmctld(self, configuration: str) -> None:
        self.kill("slurmctld", signal.SIGTERM)
        self.conf.write_text(configuration)
        self.start_slurmctld()
        wait(self.nodes_are_ready, "nodes are ready", self.log("slurmctld"))

    def start_slurmdbd(self) -> None:
        file = self.root / "etc" / "slurmdbd.conf"
        file.write_text(self.shape.slurmdbd_conf(self.root))
        shutil.chown(file, "slurm", "slurm")
        file.chmod(0o600)
        self._spawn("slurmdbd", ["slurmdbd", "-D"], MYSQL_UNIX_PORT=str(self._socket))
        answers = ("sacctmgr", "-n", "-P", "show", "config")
        wait(lambda: "DbdHost" in self.run(*answers, check=False), "slurmdbd answers", self.log("slurmdbd"))

    def start_node(self, name: str) -> None:
        (self.root / "spool" / name).mkdir(exist_ok=True)
        self._spawn(f"slurmd.{name}", ["slurmd", "-D", "-N", name, "-f", str(self.conf)])

    def resume_node(self, name: str) -> None:
        """Continue a daemon that a test has stopped."""
        process = self._started.get(f"slurmd.{name}")
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGCONT)

    def kill(self, daemon: str, number: int = signal.SIGKILL) -> None:
        process = self._started.pop(daemon, None)
        if process is None or process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def send(self, daemon: str, number: int) -> None:
        """A signal, e.g. to stop a daemon without ending it."""
        self._started[daemon].send_signal(number)

    def is_running(self, daemon: str) -> bool:
        process = self._started.get(daemon)
        return process is not None and process.poll() is None

    def nodes_are_ready(self) -> bool:
        lines = self.run("sinfo", "-h", "-N", "-o", "%N %t", check=False).splitlines()
        ready = {line.split()[0] for line in lines if line.split()[1] in ("idle", "mix", "alloc")}
        return ready == set(self.shape.node_names)

    def log(self, daemon: str) -> Path:
        return self.root / "log" / f"{daemon}.log"

    def _spawn(self, name: str, argv: list[str], **environment: str) -> None:
        with (self.root / "log" / f"{name}.out").open("ab") as output:
            self._started[name] = subprocess.Popen(
                argv,
                env={**os.environ, **self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd="/",
            )

    # Accounting

    @property
    def _socket(self) -> Path:
        return self.root / "mysql" / "socket"

    def _start_database(self) -> None:
        data = self.root / "mysql" / "data"
        shutil.chown(self.root / "mysql", "mysql", "mysql")
        if not data.exists():
            install = ["mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={data}", "--skip-test-db"]
            subprocess.run([*install, "--auth-root-authentication-method=socket"], check=True, capture_output=True)
        self._spawn(
            "mariadbd",
            [
                *("mariadbd", "--no-defaults", "--user=mysql", f"--datadir={data}", f"--socket={self._socket}"),
                *("--skip-networking", "--skip-log-bin", "--innodb-buffer-pool-size=128M"),
                *("--innodb-lock-wait-timeout=900", "--innodb-flush-log-at-trx-commit=2"),
            ],
        )
        client = ["mariadb", "--no-defaults", "-S", str(self._socket), "-e"]
        statements = """\
            CREATE DATABASE IF NOT EXISTS fractal_slurm;
            CREATE USER IF NOT EXISTS slurm@localhost IDENTIFIED VIA unix_socket;
            GRANT ALL ON fractal_slurm.* TO slurm@localhost;"""
        done = lambda: subprocess.run([*client, statements], capture_output=True).returncode == 0  # noqa: E731
        wait(done, "the database answers", self.root / "log" / "mariadbd.out")

    def _make_associations(self) -> None:
        self.manage("add", "account", ACCOUNT, "Description=tests", "Organization=tests")
        for user in ("root", accounts.SERVICE, *accounts.USERS):
            self.manage("add", "user", user, f"Account={ACCOUNT}", f"DefaultAccount={ACCOUNT}")

    def manage(self, *arguments: str) -> None:
        """sacctmgr; that nothing had to be changed is no error."""
        done = subprocess.run(
            ["sacctmgr", "-i", *arguments], env={**os.environ, **self.environment}, capture_output=True, text=True
        )
        said = done.stdout + done.stderr
        if done.returncode and "Nothing" not in said and "already exist" not in said:
            raise ClusterError(f"sacctmgr {arguments}: {said}")


def start_munge() -> None:
    """One munged serves all clusters of a machine; one that runs is left alone, and left running."""
    answers = lambda: subprocess.run(["munge", "-n"], capture_output=True).returncode == 0  # noqa: E731
    if answers():
        return
    for folder, mode in (
        ("/run/munge", 0o755),
        ("/etc/munge", 0o700),
        ("/var/lib/munge", 0o700),
        ("/var/log/munge", 0o700),
    ):
        Path(folder).mkdir(exist_ok=True)
        Path(folder).chmod(mode)
        shutil.chown(folder, "munge", "munge")
    key = Path("/etc/munge/munge.key")
    if not key.exists():
        key.write_bytes(os.urandom(1024))
        shutil.chown(key, "munge", "munge")
        key.chmod(0o400)
    subprocess.run(["runuser", "-u", "munge", "--", "/usr/sbin/munged"], check=True, capture_output=True, cwd="/")
    wait(answers, "munged answers", Path("/var/log/munge/munged.log"))


def wait(condition: Callable[[], bool], what: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
            raise ClusterError(f"not within {START_TIMEOUT_S} s: {what}\n{tail}")
        time.sleep(0.05)


@contextmanager
def running(shape: Shape) -> Generator[SlurmCluster]:
    """A cluster from nothing, and nothing left of it."""
    if os.geteuid() != 0:
        raise ClusterError("a SLURM cluster can be started by root only")
    packages.install()
    accounts.ensure()
    with tempfile.TemporaryDirectory(prefix="fractal-slurm-", ignore_cleanup_errors=True) as directory:
        root = Path(directory)
        root.chmod(0o755)
        cluster = SlurmCluster(root, shape)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


def main() -> None:
    accounting = "--without-slurmdbd" not in sys.argv[1:]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with running(Shape(name="fractal", accounting=accounting)) as cluster, suppress(KeyboardInterrupt):
        print(f"export SLURM_CONF={cluster.conf}", flush=True)
        while True:
            signal.pause()


if __name__ == "__main__":
    main()
