"""The first schema: identity, projects, tasks, execution, delivery.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NOTIFY = """
CREATE FUNCTION jobs.{name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('{channel}', '');
    RETURN NULL;
END $$
"""


def wake(channel: str, table: str, events: str) -> None:
    """Statement-level NOTIFY: one wake-up a statement, however many rows."""
    name = f"notify_{channel}"
    op.execute(NOTIFY.format(name=name, channel=channel))
    op.execute(
        f"CREATE TRIGGER {name} AFTER {events} ON jobs.{table} FOR EACH STATEMENT EXECUTE FUNCTION jobs.{name}()"
    )


def upgrade() -> None:  # noqa: PLR0915 - one schema, one function
    op.create_table(
        "usergroup",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("timestamp_created", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usergroup")),
        sa.UniqueConstraint("name", name=op.f("uq_usergroup_name")),
        schema="auth",
    )
    op.create_table(
        "parkedmessage",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("payload", sa.String(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("parked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_parkedmessage")),
        schema="jobs",
    )
    op.create_table(
        "resource",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("prevent_new_submissions", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("timestamp_created", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("host", sa.String(), nullable=True),
        sa.Column("jobs_local_dir", sa.String(), nullable=False),
        sa.Column(
            "jobs_runner_config",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("jobs_slurm_python_worker", sa.String(), nullable=True),
        sa.Column("jobs_poll_interval", sa.Integer(), nullable=False),
        sa.Column("tasks_local_dir", sa.String(), nullable=False),
        sa.Column(
            "tasks_python_config",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column(
            "tasks_pixi_config",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resource")),
        sa.UniqueConstraint("name", name=op.f("uq_resource_name")),
        schema="jobs",
    )
    op.create_table(
        "profile",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("resource_id", sa.Integer(), nullable=False),
        sa.Column("resource_type", sa.String(), nullable=False),
        sa.Column("username", sa.String(), nullable=True),
        sa.Column("ssh_key_path", sa.String(), nullable=True),
        sa.Column("jobs_remote_dir", sa.String(), nullable=True),
        sa.Column("tasks_remote_dir", sa.String(), nullable=True),
        sa.Column("pixi_cache_dir", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["resource_id"], ["jobs.resource.id"], name=op.f("fk_profile_resource_id_resource"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profile")),
        sa.UniqueConstraint("name", name=op.f("uq_profile_name")),
        schema="jobs",
    )
    op.create_index(op.f("ix_profile_resource_id"), "profile", ["resource_id"], unique=False, schema="jobs")
    op.create_table(
        "projectv2",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("is_starred", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("resource_id", sa.Integer(), nullable=False),
        sa.Column("timestamp_created", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["resource_id"], ["jobs.resource.id"], name=op.f("fk_projectv2_resource_id_resource"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projectv2")),
        schema="jobs",
    )
    op.create_index(op.f("ix_projectv2_resource_id"), "projectv2", ["resource_id"], unique=False, schema="jobs")
    op.create_table(
        "user_oauth",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("hashed_password", sa.String(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("is_superuser", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("is_verified", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("is_guest", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("profile_id", sa.Integer(), nullable=True),
        sa.Column("project_dirs", postgresql.ARRAY(sa.String()), nullable=False),
        sa.Column("slurm_accounts", postgresql.ARRAY(sa.String()), server_default=sa.text("'{}'"), nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["jobs.profile.id"], name=op.f("fk_user_oauth_profile_id_profile"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_oauth")),
        schema="auth",
    )
    op.create_index("ix_user_oauth_email", "user_oauth", ["email"], unique=True, schema="auth")
    op.create_index(
        "ix_user_oauth_email_lower", "user_oauth", [sa.literal_column("lower(email)")], unique=False, schema="auth"
    )
    op.create_index(op.f("ix_user_oauth_profile_id"), "user_oauth", ["profile_id"], unique=False, schema="auth")
    op.create_table(
        "datasetv2",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("timestamp_created", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("zarr_dir", sa.String(), nullable=False),
        sa.Column("is_starred", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["jobs.projectv2.id"], name=op.f("fk_datasetv2_project_id_projectv2"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datasetv2")),
        schema="jobs",
    )
    op.create_index(op.f("ix_datasetv2_project_id"), "datasetv2", ["project_id"], unique=False, schema="jobs")
    op.create_table(
        "linkusergroup",
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column(
            "timestamp_created", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["group_id"], ["auth.usergroup.id"], name=op.f("fk_linkusergroup_group_id_usergroup"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["auth.user_oauth.id"], name=op.f("fk_linkusergroup_user_id_user_oauth"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("group_id", "user_id", name=op.f("pk_linkusergroup")),
        schema="auth",
    )
    op.create_index(op.f("ix_linkusergroup_user_id"), "linkusergroup", ["user_id"], unique=False, schema="auth")
    op.create_table(
        "oauthaccount",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("oauth_name", sa.String(), nullable=False),
        sa.Column("access_token", sa.String(), nullable=False),
        sa.Column("expires_at", sa.Integer(), nullable=True),
        sa.Column("refresh_token", sa.String(), nullable=True),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("account_email", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["auth.user_oauth.id"], name=op.f("fk_oauthaccount_user_id_user_oauth")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oauthaccount")),
        schema="auth",
    )
    op.create_index(op.f("ix_oauthaccount_account_id"), "oauthaccount", ["account_id"], unique=False, schema="auth")
    op.create_index(op.f("ix_oauthaccount_oauth_name"), "oauthaccount", ["oauth_name"], unique=False, schema="auth")
    op.create_index(op.f("ix_oauthaccount_user_id"), "oauthaccount", ["user_id"], unique=False, schema="auth")
    op.create_table(
        "accountingrecord",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("num_tasks", sa.Integer(), nullable=False),
        sa.Column("num_new_images", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["auth.user_oauth.id"], name=op.f("fk_accountingrecord_user_id_user_oauth")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accountingrecord")),
        schema="jobs",
    )
    op.create_table(
        "datasetimage",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("zarr_url", sa.String(), nullable=False),
        sa.Column("copy", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("origin", sa.String(), nullable=True),
        sa.Column(
            "attributes", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("types", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["jobs.datasetv2.id"], name=op.f("fk_datasetimage_dataset_id_datasetv2"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datasetimage")),
        sa.UniqueConstraint("dataset_id", "zarr_url", "copy", name=op.f("uq_datasetimage_dataset_id_zarr_url_copy")),
        schema="jobs",
    )
    op.create_index("ix_datasetimage_dataset_id_id", "datasetimage", ["dataset_id", "id"], unique=False, schema="jobs")
    op.create_table(
        "linkuserprojectv2",
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("is_owner", sa.Boolean(), nullable=False),
        sa.Column("is_verified", sa.Boolean(), nullable=False),
        sa.Column("permissions", sa.String(), nullable=False),
        sa.CheckConstraint(
            "NOT (is_owner AND permissions <> 'rwx')", name=op.f("ck_linkuserprojectv2_owner_full_permissions")
        ),
        sa.CheckConstraint("permissions IN ('r', 'rw', 'rwx')", name=op.f("ck_linkuserprojectv2_valid_permissions")),
        sa.CheckConstraint("NOT (is_owner AND NOT is_verified)", name=op.f("ck_linkuserprojectv2_owner_is_verified")),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["jobs.projectv2.id"],
            name=op.f("fk_linkuserprojectv2_project_id_projectv2"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["auth.user_oauth.id"], name=op.f("fk_linkuserprojectv2_user_id_user_oauth")
        ),
        sa.PrimaryKeyConstraint("project_id", "user_id", name=op.f("pk_linkuserprojectv2")),
        schema="jobs",
    )
    op.create_index(
        "ix_linkuserprojectv2_one_owner_per_project",
        "linkuserprojectv2",
        ["project_id"],
        unique=True,
        schema="jobs",
        postgresql_where=sa.text("is_owner IS TRUE"),
    )
    op.create_index(op.f("ix_linkuserprojectv2_user_id"), "linkuserprojectv2", ["user_id"], unique=False, schema="jobs")
    op.create_table(
        "taskgroupv2",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("user_group_id", sa.Integer(), nullable=True),
        sa.Column("resource_id", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("pkg_name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("python_version", sa.String(), nullable=True),
        sa.Column("pixi_version", sa.String(), nullable=True),
        sa.Column("path", sa.String(), nullable=True),
        sa.Column("venv_path", sa.String(), nullable=True),
        sa.Column("archive_path", sa.String(), nullable=True),
        sa.Column("pip_extras", sa.String(), nullable=True),
        sa.Column("env_info", sa.String(), nullable=True),
        sa.Column(
            "pinned_package_versions_pre",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=True,
        ),
        sa.Column(
            "pinned_package_versions_post",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=True,
        ),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("timestamp_created", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("timestamp_last_used", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["resource_id"], ["jobs.resource.id"], name=op.f("fk_taskgroupv2_resource_id_resource"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["user_group_id"],
            ["auth.usergroup.id"],
            name=op.f("fk_taskgroupv2_user_group_id_usergroup"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(["user_id"], ["auth.user_oauth.id"], name=op.f("fk_taskgroupv2_user_id_user_oauth")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taskgroupv2")),
        schema="jobs",
    )
    op.create_index(
        "ix_taskgroupv2_path_unique_constraint", "taskgroupv2", ["path", "resource_id"], unique=True, schema="jobs"
    )
    op.create_index(op.f("ix_taskgroupv2_resource_id"), "taskgroupv2", ["resource_id"], unique=False, schema="jobs")
    op.create_index(op.f("ix_taskgroupv2_user_group_id"), "taskgroupv2", ["user_group_id"], unique=False, schema="jobs")
    op.create_index(op.f("ix_taskgroupv2_user_id"), "taskgroupv2", ["user_id"], unique=False, schema="jobs")
    op.create_table(
        "workflowtemplate",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("fractal_server_version", sa.String(), nullable=False),
        sa.Column("timestamp_created", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("timestamp_last_used", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_group_id", sa.Integer(), nullable=True),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("data", postgresql.JSON(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_group_id"],
            ["auth.usergroup.id"],
            name=op.f("fk_workflowtemplate_user_group_id_usergroup"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["auth.user_oauth.id"], name=op.f("fk_workflowtemplate_user_id_user_oauth")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflowtemplate")),
        schema="jobs",
    )
    op.create_index(
        "ix_workflowtemplate_user_name_version_unique_constraint",
        "workflowtemplate",
        ["user_id", "name", "version"],
        unique=True,
        schema="jobs",
    )
    op.create_table(
        "taskgroupactivityv2",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("taskgroupv2_id", sa.Integer(), nullable=True),
        sa.Column("timestamp_started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("timestamp_ended", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pkg_name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("log", sa.String(), nullable=True),
        sa.Column("fractal_server_version", sa.String(), nullable=False),
        sa.Column("resource_id", sa.Integer(), nullable=True),
        sa.Column("command", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("log_sequence", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["resource_id"],
            ["jobs.resource.id"],
            name=op.f("fk_taskgroupactivityv2_resource_id_resource"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["taskgroupv2_id"],
            ["jobs.taskgroupv2.id"],
            name=op.f("fk_taskgroupactivityv2_taskgroupv2_id_taskgroupv2"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["auth.user_oauth.id"], name=op.f("fk_taskgroupactivityv2_user_id_user_oauth")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taskgroupactivityv2")),
        schema="jobs",
    )
    op.create_index(
        "ix_taskgroupactivityv2_collect_unique_constraint",
        "taskgroupactivityv2",
        ["taskgroupv2_id"],
        unique=True,
        schema="jobs",
        postgresql_where=sa.text("action = 'collect'"),
    )
    op.create_index(
        "ix_taskgroupactivityv2_open",
        "taskgroupactivityv2",
        ["id"],
        unique=False,
        schema="jobs",
        postgresql_where=sa.text("status IN ('pending', 'ongoing')"),
    )
    op.create_index(
        op.f("ix_taskgroupactivityv2_taskgroupv2_id"),
        "taskgroupactivityv2",
        ["taskgroupv2_id"],
        unique=False,
        schema="jobs",
    )
    op.create_index(
        op.f("ix_taskgroupactivityv2_user_id"), "taskgroupactivityv2", ["user_id"], unique=False, schema="jobs"
    )
    op.create_table(
        "taskv2",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("command_non_parallel", sa.String(), nullable=True),
        sa.Column("command_parallel", sa.String(), nullable=True),
        sa.Column(
            "meta_non_parallel",
            postgresql.JSON(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column(
            "meta_parallel",
            postgresql.JSON(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("args_schema_non_parallel", postgresql.JSON(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("args_schema_parallel", postgresql.JSON(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("args_schema_version", sa.String(), nullable=True),
        sa.Column("docs_info", sa.String(), nullable=True),
        sa.Column("docs_link", sa.String(), nullable=True),
        sa.Column("category", sa.String(), nullable=True),
        sa.Column("modality", sa.String(), nullable=True),
        sa.Column("authors", sa.String(), nullable=True),
        sa.Column(
            "input_types", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column(
            "output_types", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("tags", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("is_core", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("taskgroupv2_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["taskgroupv2_id"], ["jobs.taskgroupv2.id"], name=op.f("fk_taskv2_taskgroupv2_id_taskgroupv2")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taskv2")),
        schema="jobs",
    )
    op.create_index(
        "ix_taskv2_one_task_name_per_task_group", "taskv2", ["name", "taskgroupv2_id"], unique=True, schema="jobs"
    )
    op.create_index(op.f("ix_taskv2_taskgroupv2_id"), "taskv2", ["taskgroupv2_id"], unique=False, schema="jobs")
    op.create_table(
        "workflowv2",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("is_starred", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("template_id", sa.Integer(), nullable=True),
        sa.Column("timestamp_created", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["jobs.projectv2.id"], name=op.f("fk_workflowv2_project_id_projectv2"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["template_id"],
            ["jobs.workflowtemplate.id"],
            name=op.f("fk_workflowv2_template_id_workflowtemplate"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflowv2")),
        schema="jobs",
    )
    op.create_index(op.f("ix_workflowv2_project_id"), "workflowv2", ["project_id"], unique=False, schema="jobs")
    op.create_table(
        "jobv2",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=True),
        sa.Column("workflow_id", sa.Integer(), nullable=True),
        sa.Column("dataset_id", sa.Integer(), nullable=True),
        sa.Column("user_email", sa.String(), nullable=False),
        sa.Column("slurm_account", sa.String(), nullable=True),
        sa.Column("dataset_dump", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("workflow_dump", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("project_dump", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("fractal_server_version", sa.String(), nullable=False),
        sa.Column("worker_init", sa.String(), nullable=True),
        sa.Column("working_dir", sa.String(), nullable=True),
        sa.Column("working_dir_user", sa.String(), nullable=True),
        sa.Column("first_task_index", sa.Integer(), nullable=False),
        sa.Column("last_task_index", sa.Integer(), nullable=False),
        sa.Column("start_timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_timestamp", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("log", sa.String(), nullable=True),
        sa.Column("executor_error_log", sa.String(), nullable=True),
        sa.Column(
            "attribute_filters",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column(
            "type_filters", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["jobs.datasetv2.id"], name=op.f("fk_jobv2_dataset_id_datasetv2"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["jobs.projectv2.id"], name=op.f("fk_jobv2_project_id_projectv2"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["workflow_id"], ["jobs.workflowv2.id"], name=op.f("fk_jobv2_workflow_id_workflowv2"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobv2")),
        schema="jobs",
    )
    op.create_index(op.f("ix_jobv2_dataset_id"), "jobv2", ["dataset_id"], unique=False, schema="jobs")
    op.create_index(
        "ix_jobv2_one_submitted_job_per_dataset",
        "jobv2",
        ["dataset_id"],
        unique=True,
        schema="jobs",
        postgresql_where=sa.text("status = 'submitted'"),
    )
    op.create_index(op.f("ix_jobv2_project_id"), "jobv2", ["project_id"], unique=False, schema="jobs")
    op.create_index(op.f("ix_jobv2_workflow_id"), "jobv2", ["workflow_id"], unique=False, schema="jobs")
    op.create_table(
        "packagearchive",
        sa.Column("activity_id", sa.Integer(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["activity_id"],
            ["jobs.taskgroupactivityv2.id"],
            name=op.f("fk_packagearchive_activity_id_taskgroupactivityv2"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("activity_id", name=op.f("pk_packagearchive")),
        schema="jobs",
    )
    op.create_table(
        "workflowtaskv2",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("workflow_id", sa.Integer(), nullable=False),
        sa.Column("order", sa.Integer(), nullable=True),
        sa.Column("meta_parallel", postgresql.JSON(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("meta_non_parallel", postgresql.JSON(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("args_parallel", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("args_non_parallel", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column(
            "type_filters", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("task_type", sa.String(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("alias", sa.String(), nullable=True),
        sa.Column("description", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["task_id"], ["jobs.taskv2.id"], name=op.f("fk_workflowtaskv2_task_id_taskv2")),
        sa.ForeignKeyConstraint(
            ["workflow_id"],
            ["jobs.workflowv2.id"],
            name=op.f("fk_workflowtaskv2_workflow_id_workflowv2"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflowtaskv2")),
        schema="jobs",
    )
    op.create_index(op.f("ix_workflowtaskv2_task_id"), "workflowtaskv2", ["task_id"], unique=False, schema="jobs")
    op.create_index(
        op.f("ix_workflowtaskv2_workflow_id"), "workflowtaskv2", ["workflow_id"], unique=False, schema="jobs"
    )
    op.create_table(
        "accountingrecordslurm",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("slurm_job_ids", postgresql.ARRAY(sa.Integer()), nullable=True),
        sa.Column("fractal_job_id", sa.Integer(), nullable=True),
        sa.Column("resource_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["fractal_job_id"], ["jobs.jobv2.id"], name=op.f("fk_accountingrecordslurm_fractal_job_id_jobv2")
        ),
        sa.ForeignKeyConstraint(
            ["resource_id"],
            ["jobs.resource.id"],
            name=op.f("fk_accountingrecordslurm_resource_id_resource"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["auth.user_oauth.id"], name=op.f("fk_accountingrecordslurm_user_id_user_oauth")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accountingrecordslurm")),
        schema="jobs",
    )
    op.create_table(
        "execution",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("resource_id", sa.Integer(), nullable=True),
        sa.Column("profile_id", sa.Integer(), nullable=True),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("cache_dir", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column(
            "current_types", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("snapshot", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("workflow_log", sa.String(), server_default=sa.text("''"), nullable=False),
        sa.Column("stop_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("wake_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.jobv2.id"], name=op.f("fk_execution_job_id_jobv2"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["jobs.profile.id"], name=op.f("fk_execution_profile_id_profile"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["resource_id"], ["jobs.resource.id"], name=op.f("fk_execution_resource_id_resource"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_execution")),
        schema="jobs",
    )
    op.create_index(
        "ix_execution_wake_at",
        "execution",
        ["wake_at"],
        unique=False,
        schema="jobs",
        postgresql_where=sa.text("wake_at IS NOT NULL"),
    )
    op.create_table(
        "historyrun",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("workflowtask_id", sa.Integer(), nullable=True),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=True),
        sa.Column("workflowtask_dump", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("task_group_dump", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("timestamp_started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("num_available_images", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["jobs.datasetv2.id"], name=op.f("fk_historyrun_dataset_id_datasetv2"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.jobv2.id"], name=op.f("fk_historyrun_job_id_jobv2")),
        sa.ForeignKeyConstraint(
            ["task_id"], ["jobs.taskv2.id"], name=op.f("fk_historyrun_task_id_taskv2"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["workflowtask_id"],
            ["jobs.workflowtaskv2.id"],
            name=op.f("fk_historyrun_workflowtask_id_workflowtaskv2"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_historyrun")),
        schema="jobs",
    )
    op.create_index(
        "ix_historyrun_dataset_id_workflowtask_id",
        "historyrun",
        ["dataset_id", "workflowtask_id", "id"],
        unique=False,
        schema="jobs",
    )
    op.create_index(op.f("ix_historyrun_job_id"), "historyrun", ["job_id"], unique=False, schema="jobs")
    op.create_table(
        "batch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("history_run_id", sa.Integer(), nullable=False),
        sa.Column("resource_id", sa.Integer(), nullable=False),
        sa.Column("part", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("spec", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("handle", sa.String(), nullable=True),
        sa.Column("cause", sa.String(), nullable=True),
        sa.Column("remaining", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["history_run_id"],
            ["jobs.historyrun.id"],
            name=op.f("fk_batch_history_run_id_historyrun"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.jobv2.id"], name=op.f("fk_batch_job_id_jobv2"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["resource_id"], ["jobs.resource.id"], name=op.f("fk_batch_resource_id_resource"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
        sa.UniqueConstraint("name", name=op.f("uq_batch_name")),
        schema="jobs",
    )
    op.create_index(op.f("ix_batch_history_run_id"), "batch", ["history_run_id"], unique=False, schema="jobs")
    op.create_index(op.f("ix_batch_job_id"), "batch", ["job_id"], unique=False, schema="jobs")
    op.create_index(
        "ix_batch_open",
        "batch",
        ["heard_at"],
        unique=False,
        schema="jobs",
        postgresql_where=sa.text("state <> 'ended'"),
    )
    op.create_table(
        "historyunit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("history_run_id", sa.Integer(), nullable=False),
        sa.Column("logfile", sa.String(), server_default=sa.text("'__LOGFILE_PLACEHOLDER__'"), nullable=False),
        sa.Column("has_warnings", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("zarr_urls", postgresql.ARRAY(sa.String()), nullable=False),
        sa.Column("part", sa.String(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["jobs.batch.id"], name=op.f("fk_historyunit_batch_id_batch"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["history_run_id"],
            ["jobs.historyrun.id"],
            name=op.f("fk_historyunit_history_run_id_historyrun"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_historyunit")),
        sa.UniqueConstraint("history_run_id", "part", "index", name=op.f("uq_historyunit_history_run_id_part_index")),
        schema="jobs",
    )
    op.create_index(op.f("ix_historyunit_batch_id"), "historyunit", ["batch_id"], unique=False, schema="jobs")
    op.create_index("ix_historyunit_history_run_id", "historyunit", ["history_run_id"], unique=False, schema="jobs")
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("payload", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("batch_id", sa.Integer(), nullable=True),
        sa.Column("activity_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["activity_id"],
            ["jobs.taskgroupactivityv2.id"],
            name=op.f("fk_outbox_activity_id_taskgroupactivityv2"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["jobs.batch.id"], name=op.f("fk_outbox_batch_id_batch"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        schema="jobs",
    )
    op.create_index(op.f("ix_outbox_activity_id"), "outbox", ["activity_id"], unique=False, schema="jobs")
    op.create_index(op.f("ix_outbox_batch_id"), "outbox", ["batch_id"], unique=False, schema="jobs")
    op.create_index(
        "ix_outbox_unsent", "outbox", ["id"], unique=False, schema="jobs", postgresql_where=sa.text("sent_at IS NULL")
    )
    op.create_table(
        "historyimagecache",
        sa.Column("zarr_url", sa.String(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("workflowtask_id", sa.Integer(), nullable=False),
        sa.Column("latest_history_unit_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["jobs.datasetv2.id"],
            name=op.f("fk_historyimagecache_dataset_id_datasetv2"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["latest_history_unit_id"],
            ["jobs.historyunit.id"],
            name=op.f("fk_historyimagecache_latest_history_unit_id_historyunit"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workflowtask_id"],
            ["jobs.workflowtaskv2.id"],
            name=op.f("fk_historyimagecache_workflowtask_id_workflowtaskv2"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("zarr_url", "dataset_id", "workflowtask_id", name=op.f("pk_historyimagecache")),
        schema="jobs",
    )
    op.create_index(
        op.f("ix_historyimagecache_dataset_id"), "historyimagecache", ["dataset_id"], unique=False, schema="jobs"
    )
    op.create_index(
        op.f("ix_historyimagecache_latest_history_unit_id"),
        "historyimagecache",
        ["latest_history_unit_id"],
        unique=False,
        schema="jobs",
    )
    op.create_index(
        op.f("ix_historyimagecache_workflowtask_id"),
        "historyimagecache",
        ["workflowtask_id"],
        unique=False,
        schema="jobs",
    )
    op.create_table(
        "unitinput",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("before", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("after", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["jobs.historyunit.id"], name=op.f("fk_unitinput_unit_id_historyunit"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("unit_id", name=op.f("pk_unitinput")),
        schema="jobs",
    )
    op.create_table(
        "unitresult",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("succeeded", sa.Boolean(), nullable=False),
        sa.Column("output", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("cause", sa.String(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("signal", sa.Integer(), nullable=True),
        sa.Column("max_rss_kb", sa.BigInteger(), nullable=True),
        sa.Column("wall_s", sa.Double(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["jobs.historyunit.id"], name=op.f("fk_unitresult_unit_id_historyunit"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("unit_id", name=op.f("pk_unitresult")),
        schema="jobs",
    )
    wake("fractal_outbox", "outbox", "INSERT")
    wake("fractal_engine", "execution", "INSERT OR UPDATE OF wake_at")


def downgrade() -> None:
    raise NotImplementedError("The first revision cannot be undone: drop the schemas instead.")
