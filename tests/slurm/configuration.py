"""The files that slurmctld, slurmd and slurmdbd read."""

import random
import socket
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

SLURM = """\
ClusterName={name}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=slurm
AuthType=auth/munge
CredType=cred/munge
MpiDefault=none
MailProg=/bin/true
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=1,default_queue_depth=1000,partition_job_depth=0,requeue_delay=1
SchedulerType=sched/backfill
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool/%n
SlurmctldPidFile={root}/run/slurmctld.pid
SlurmdPidFile={root}/run/slurmd.%n.pid
SlurmctldLogFile={root}/log/slurmctld.log
SlurmdLogFile={root}/log/slurmd.%n.log
ReturnToService=2
MaxJobCount=10000
MaxArraySize={max_array_size}
MinJobAge={min_job_age_s}
KillWait=3
SlurmdTimeout=10
SlurmctldTimeout=30
MessageTimeout=5
UnkillableStepTimeout=30
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
DefMemPerCPU=100
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=main Nodes=ALL Default=YES DefaultTime=60 MaxTime=INFINITE State=UP PriorityTier=10
PartitionName=spare Nodes=ALL DefaultTime=60 MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE
PartitionName=spare_killed Nodes=ALL DefaultTime=60 MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=CANCEL
"""
CONTROL_GROUPS = "ProctrackType=proctrack/cgroup\nTaskPlugin=task/cgroup\n"
NO_CONTROL_GROUPS = "ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\n"
ACCOUNTING = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={port}
AccountingStorageEnforce=associations,limits,qos
"""
NO_ACCOUNTING = "AccountingStorageType=accounting_storage/none\n"
NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} RealMemory={memory} State=UNKNOWN\n"
)
CGROUP = """\
CgroupPlugin=cgroup/v1
CgroupMountpoint=/sys/fs/cgroup
CgroupAutomount=no
ConstrainCores=no
ConstrainDevices=no
ConstrainRAMSpace=yes
ConstrainSwapSpace=no
"""
SLURMDBD = """\
AuthType=auth/munge
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser=slurm
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StorageLoc=fractal_slurm
LogFile={root}/log/slurmdbd.log
PidFile={root}/run/slurmdbd.pid
CommitDelay=1
"""


def can_constrain_memory() -> bool:
    """Whether this machine has version 1 control groups that we may use: SLURM 22.05 needs systemd for version 2."""
    return Path("/sys/fs/cgroup/memory/memory.limit_in_bytes").exists() and Path("/sys/fs/cgroup/freezer").exists()


def free_ports(count: int = 8) -> int:
    """The first of so many ports in a row that nobody listens on."""
    while True:
        first = random.randrange(17000, 30000, count)
        with suppress(OSError), ExitStack() as held:
            for port in range(first, first + count):
                held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first


@dataclass(frozen=True)
class Shape:
    """What varies between the clusters that tests ask for."""

    name: str
    accounting: bool = True
    nodes: int = 2
    cpus: int = 16
    memory_mb: int = 6000
    max_array_size: int = 1001
    min_job_age_s: int = 10
    base_port: int = field(default_factory=free_ports)
    memory_is_constrained: bool = field(default_factory=can_constrain_memory)

    @property
    def node_names(self) -> list[str]:
        """Unlike those of any other cluster of this machine: control groups are named after them."""
        return [f"{self.name}{self.base_port}n{number}" for number in range(1, self.nodes + 1)]

    def slurm_conf(self, root: Path, host: str) -> str:
        text = SLURM.format(
            name=self.name,
            host=host,
            port=self.base_port,
            root=root,
            max_array_size=self.max_array_size,
            min_job_age_s=self.min_job_age_s,
        )
        text += CONTROL_GROUPS if self.memory_is_constrained else NO_CONTROL_GROUPS
        text += ACCOUNTING.format(port=self.base_port + 1) if self.accounting else NO_ACCOUNTING
        for number, name in enumerate(self.node_names):
            port = self.base_port + 2 + number
            text += NODE.format(name=name, host=host, port=port, cpus=self.cpus, memory=self.memory_mb)
        return text

    def slurmdbd_conf(self, root: Path) -> str:
        return SLURMDBD.format(port=self.base_port + 1, root=root)
