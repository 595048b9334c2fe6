"""Every message on the bus: frozen models with a literal type and version, JSON only.

Subjects (`<r>` is a resource id):

    fractal.cmd.<r>.batch.run|cancel|archive          engine → agent   stream FRACTAL_CMD
    fractal.cmd.<r>.environment.<action>              engine → agent   stream FRACTAL_CMD
    fractal.evt.<r>.batch.submitted|running|finished  agent → engine   stream FRACTAL_EVT
    fractal.evt.<r>.batches.alive                     agent → engine   stream FRACTAL_EVT
    fractal.evt.<r>.units.finished                    agent → engine   stream FRACTAL_EVT
    fractal.evt.<r>.environment.progress|finished     agent → engine   stream FRACTAL_EVT
    fractal.evt.<r>.command.refused                   agent → engine   stream FRACTAL_EVT
    fractal.rpc.<r>.<verb>                            api → agent      request/reply
    fractal.agent.<r>.heartbeat                       agent → engine   core
    fractal.identity.user.changed                     auth → api       core

A command says "make it so and tell me what you know": an agent that gets the same `batch.run` twice starts nothing
twice, and reports the batch's whole state again. That makes publishing again always safe.
"""

from fractal_common.messages.base import MAX_MESSAGE_BYTES, Message
from fractal_common.messages.commands import (
    BatchCancel,
    BatchRun,
    Command,
    EnvironmentAction,
    EnvironmentCommand,
    JobArchive,
    SlurmJob,
    UnitSpec,
    command_subject,
)
from fractal_common.messages.events import (
    USER_CHANGED,
    AgentHeartbeat,
    BatchFinished,
    BatchRunning,
    BatchSubmitted,
    CommandRefused,
    EnvironmentFinished,
    EnvironmentProgress,
    Event,
    SchedulerEvidence,
    UnitOutcome,
    UnitsFinished,
    UserChanged,
    event_subject,
)
from fractal_common.messages.requests import (
    ArchiveReady,
    BatchesAlive,
    FileChunk,
    FileRead,
    FolderArchive,
    PathCheck,
    PathFacts,
    PixiSettings,
    QueueRead,
    QueueSnapshot,
    RpcError,
    rpc_subject,
)

__all__ = [
    "MAX_MESSAGE_BYTES",
    "USER_CHANGED",
    "AgentHeartbeat",
    "ArchiveReady",
    "BatchCancel",
    "BatchFinished",
    "BatchRun",
    "BatchRunning",
    "BatchSubmitted",
    "BatchesAlive",
    "Command",
    "CommandRefused",
    "EnvironmentAction",
    "EnvironmentCommand",
    "EnvironmentFinished",
    "EnvironmentProgress",
    "Event",
    "FileChunk",
    "FileRead",
    "FolderArchive",
    "JobArchive",
    "Message",
    "PathCheck",
    "PathFacts",
    "PixiSettings",
    "QueueRead",
    "QueueSnapshot",
    "RpcError",
    "SchedulerEvidence",
    "SlurmJob",
    "UnitOutcome",
    "UnitSpec",
    "UnitsFinished",
    "UserChanged",
    "command_subject",
    "event_subject",
    "rpc_subject",
]
