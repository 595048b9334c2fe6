"""Every table, re-exported by name."""

from fractal_common.database.base import Base
from fractal_common.database.models.auth import GroupMember, LoginAttempts, OAuthAccount, User, UserGroup
from fractal_common.database.models.compute import Profile, Resource
from fractal_common.database.models.delivery import JobEvent, OutboxMessage, ParkedMessage
from fractal_common.database.models.execution import (
    AccountingRecord,
    AccountingRecordSlurm,
    Batch,
    Execution,
    HistoryImageCache,
    HistoryRun,
    HistoryUnit,
    Job,
    UnitInput,
    UnitResult,
)
from fractal_common.database.models.projects import (
    Dataset,
    DatasetImage,
    ImageChange,
    ImageSummary,
    Project,
    ProjectMember,
)
from fractal_common.database.models.tasks import PackageArchive, Task, TaskGroup, TaskGroupActivity
from fractal_common.database.models.workflows import Workflow, WorkflowTask, WorkflowTemplate

__all__ = [
    "AccountingRecord",
    "AccountingRecordSlurm",
    "Base",
    "Batch",
    "Dataset",
    "DatasetImage",
    "Execution",
    "GroupMember",
    "HistoryImageCache",
    "HistoryRun",
    "HistoryUnit",
    "ImageChange",
    "ImageSummary",
    "Job",
    "JobEvent",
    "LoginAttempts",
    "OAuthAccount",
    "OutboxMessage",
    "PackageArchive",
    "ParkedMessage",
    "Profile",
    "Project",
    "ProjectMember",
    "Resource",
    "Task",
    "TaskGroup",
    "TaskGroupActivity",
    "UnitInput",
    "UnitResult",
    "User",
    "UserGroup",
    "Workflow",
    "WorkflowTask",
    "WorkflowTemplate",
]
