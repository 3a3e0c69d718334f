"""The first tables: jobs with their attempts, events, metrics and logs; models; code; tokens.

Revision: r0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "r0001"
down_revision = None
branch_labels = None
depends_on = None


_REASONS = """
'bad_label', 'budget', 'cancelled_by_user', 'data_changed', 'data_not_found', 'disk_full',
'empty_holdout', 'empty_train', 'image_pull', 'image_pulling', 'internal', 'lost',
'node_lost', 'out_of_memory', 'preempted', 'queue_timeout', 'runtime_build', 'schema_mismatch',
'serialization', 'storage_unavailable', 'timeout', 'unschedulable', 'user_code', 'waiting_capacity',
'waiting_fair_share', 'waiting_quota', 'waiting_retry', 'waiting_runtime', 'waiting_scale_up'
"""


def upgrade() -> None:
    op.create_table(
        "code_versions",
        sa.Column("code_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("git_sha", sa.Text(), nullable=True),
        sa.Column("dirty", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("python", sa.Text(), nullable=True),
        sa.Column("lock_sha256", sa.Text(), nullable=True),
        sa.Column("runtime", sa.Text(), server_default="server", nullable=False),
        sa.Column("state", sa.Text(), server_default="building", nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("deployed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.CheckConstraint("state IN ('broken', 'building', 'ready')", name=op.f("code_state_is_known")),
        sa.PrimaryKeyConstraint("code_id", name=op.f("pk_code_versions")),
        sa.UniqueConstraint("project", "version", name=op.f("uq_code_versions_project_version")),
        sa.UniqueConstraint("seq", name=op.f("uq_code_versions_seq")),
        sa.UniqueConstraint("sha256", name=op.f("uq_code_versions_sha256")),
    )
    op.create_table(
        "jobs",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("state", sa.Text(), server_default="queued", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("model_name", sa.Text(), nullable=False),
        sa.Column("model_description", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("trainer", sa.Text(), nullable=False),
        sa.Column("submitted_by", sa.Text(), nullable=False),
        sa.Column("workflow_name", sa.Text(), nullable=False),
        sa.Column("code_id", sa.Text(), nullable=True),
        sa.Column("git_sha", sa.Text(), nullable=True),
        sa.Column("dirty", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("experimental", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("compute_resource", sa.Text(), nullable=False),
        sa.Column("cpu", sa.Double(), nullable=False),
        sa.Column("memory_bytes", sa.BigInteger(), nullable=False),
        sa.Column("gpu", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("timeout_seconds", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("labels", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column(
            "retries",
            postgresql.JSONB(),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="retries used, by budget",
        ),
        sa.Column("rerun_of", sa.Text(), nullable=True),
        sa.Column("request_text", sa.Text(), nullable=False, comment="the request as it was sent"),
        sa.Column("resolved_request", postgresql.JSONB(), nullable=False),
        sa.Column(
            "attempt",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="number of the current attempt",
        ),
        sa.Column("step", sa.Text(), nullable=True),
        sa.Column("progress", sa.Double(), nullable=True),
        sa.Column("node", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_requested_by", sa.Text(), nullable=True),
        sa.Column("model_id", sa.Text(), nullable=True),
        sa.Column(
            "metrics", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False, comment="spec Metrics"
        ),
        sa.Column(
            "data",
            postgresql.JSONB(),
            nullable=True,
            comment="spec DataSummary without the list of files, which stays in result",
        ),
        sa.Column("steps", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("usage", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("error", postgresql.JSONB(), nullable=True),
        sa.Column(
            "result", postgresql.JSONB(), nullable=True, comment="the result manifest of the attempt that succeeded"
        ),
        sa.Column("cost_amount", sa.Numeric(), nullable=True, comment="of the attempts that are over"),
        sa.Column("cost_currency", sa.Text(), nullable=True),
        sa.Column("cost_formula", sa.Text(), server_default="", nullable=False),
        sa.Column("core_seconds", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "(state IN ('cancelled', 'failed', 'succeeded')) = (finished_at IS NOT NULL)",
            name=op.f("final_has_finished_at"),
        ),
        sa.CheckConstraint(f"reason IS NULL OR reason IN ({_REASONS})", name=op.f("reason_is_known")),
        sa.CheckConstraint("state <> 'failed' OR reason IS NOT NULL", name=op.f("failed_has_reason")),
        sa.CheckConstraint(
            "state <> 'succeeded' OR (result IS NOT NULL AND model_id IS NOT NULL)", name=op.f("succeeded_has_result")
        ),
        sa.CheckConstraint(
            "state IN ('cancelled', 'failed', 'queued', 'running', 'starting', 'succeeded')",
            name=op.f("state_is_known"),
        ),
        sa.CheckConstraint("state NOT IN ('starting', 'running') OR attempt > 0", name=op.f("active_has_attempt")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("seq", name=op.f("uq_jobs_seq")),
    )
    op.create_index(
        "ix_jobs_active",
        "jobs",
        ["state", "job_id"],
        unique=False,
        postgresql_where=sa.text("state IN ('queued', 'starting', 'running')"),
    )
    op.create_index("ix_jobs_code_id_seq", "jobs", ["code_id", sa.literal_column("seq DESC")], unique=False)
    op.create_index(
        "ix_jobs_compute_resource_seq", "jobs", ["compute_resource", sa.literal_column("seq DESC")], unique=False
    )
    op.create_index("ix_jobs_created_at", "jobs", ["created_at"], unique=False)
    op.create_index(
        "ix_jobs_job_id_prefix", "jobs", ["job_id"], unique=False, postgresql_ops={"job_id": "text_pattern_ops"}
    )
    op.create_index("ix_jobs_labels", "jobs", ["labels"], unique=False, postgresql_using="gin")
    op.create_index("ix_jobs_model_name_seq", "jobs", ["model_name", sa.literal_column("seq DESC")], unique=False)
    op.create_index("ix_jobs_node_seq", "jobs", ["node", sa.literal_column("seq DESC")], unique=False)
    op.create_index("ix_jobs_owner_seq", "jobs", ["owner", sa.literal_column("seq DESC")], unique=False)
    op.create_index("ix_jobs_project_seq", "jobs", ["project", sa.literal_column("seq DESC")], unique=False)
    op.create_index(
        "ix_jobs_queue",
        "jobs",
        ["compute_resource", sa.literal_column("priority DESC"), "seq"],
        unique=False,
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index("ix_jobs_reason_seq", "jobs", ["reason", sa.literal_column("seq DESC")], unique=False)
    op.create_index("ix_jobs_state_seq", "jobs", ["state", sa.literal_column("seq DESC")], unique=False)
    op.create_index("ix_jobs_trainer_seq", "jobs", ["trainer", sa.literal_column("seq DESC")], unique=False)
    op.create_index("ix_jobs_workflow_name_seq", "jobs", ["workflow_name", sa.literal_column("seq DESC")], unique=False)
    op.create_table(
        "runtimes",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("python", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('broken', 'building', 'ready')", name=op.f("runtime_state_is_known")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_runtimes")),
    )
    op.create_table(
        "tokens",
        sa.Column("token_id", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("teams", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_tokens_token_hash")),
    )
    op.create_table(
        "workflow_claims",
        sa.Column("name", sa.Text(), nullable=False, comment="a workflow name lives in one code project per server"),
        sa.Column("project", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_workflow_claims")),
    )
    op.create_table(
        "attempts",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), server_default="starting", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("error", postgresql.JSONB(), nullable=True),
        sa.Column(
            "nonce",
            sa.Text(),
            nullable=False,
            comment="with the server's secret gives the token; the same on every start of this name",
        ),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("executor", sa.Text(), nullable=False),
        sa.Column(
            "outbox", sa.Text(), server_default="submit", nullable=False, comment="submit, submitted, remove, removed"
        ),
        sa.Column("uid", sa.Text(), nullable=True, comment="what the executor started"),
        sa.Column("node", sa.Text(), nullable=True),
        sa.Column("warm", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("compute_resource", sa.Text(), nullable=False),
        sa.Column("cpu", sa.Double(), nullable=False),
        sa.Column("memory_bytes", sa.BigInteger(), nullable=False),
        sa.Column("gpu", sa.Integer(), nullable=False),
        sa.Column("price", postgresql.JSONB(), nullable=True, comment="copied at the claim"),
        sa.Column("claimed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("gone_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "stop_reason",
            sa.Text(),
            nullable=True,
            comment="why the platform asked it to end: timeout, budget, cancelled_by_user",
        ),
        sa.Column("stop_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("log_sealed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("swept_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("usage", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("steps", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column(
            "log_lines",
            sa.BigInteger(),
            nullable=True,
            comment="lines in all, known at the end: the log is sealed when that many are here",
        ),
        sa.CheckConstraint(
            "(state IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL)",
            name=op.f("final_attempt_has_finished_at"),
        ),
        sa.CheckConstraint("outbox IN ('remove', 'removed', 'submit', 'submitted')", name=op.f("outbox_is_known")),
        sa.CheckConstraint(
            "state IN ('cancelled', 'failed', 'running', 'starting', 'succeeded')", name=op.f("attempt_state_is_known")
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], name=op.f("fk_attempts_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "number", name=op.f("pk_attempts")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_attempts_token_hash")),
    )
    op.create_index(
        "ix_attempts_outbox", "attempts", ["outbox"], unique=False, postgresql_where=sa.text("outbox <> 'removed'")
    )
    op.create_index(
        "ix_attempts_unsealed",
        "attempts",
        ["finished_at"],
        unique=False,
        postgresql_where=sa.text("finished_at IS NOT NULL AND log_sealed_at IS NULL"),
    )
    op.create_index(
        "ix_attempts_unswept",
        "attempts",
        ["finished_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('failed', 'cancelled') AND swept_at IS NULL"),
    )
    op.create_index(
        "one_active_attempt_per_job",
        "attempts",
        ["job_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('starting', 'running')"),
    )
    op.create_table(
        "code_workflows",
        sa.Column("code_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="the class, or the file where it is broken"),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("info", postgresql.JSONB(), nullable=False, comment="spec WorkflowInfo"),
        sa.ForeignKeyConstraint(
            ["code_id"], ["code_versions.code_id"], name=op.f("fk_code_workflows_code_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("code_id", "name", name=op.f("pk_code_workflows")),
    )
    op.create_index("ix_code_workflows_name", "code_workflows", ["name"], unique=False)
    op.create_table(
        "idempotency_keys",
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_sha256", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.job_id"], name=op.f("fk_idempotency_keys_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_table(
        "job_events",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "xact", sa.BigInteger(), server_default=sa.text("(pg_current_xact_id()::text::bigint)"), nullable=False
        ),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=True),
        sa.Column("to_state", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("detail", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], name=op.f("fk_job_events_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_job_events")),
    )
    op.create_index("ix_job_events_job_id_seq", "job_events", ["job_id", "seq"], unique=False)
    op.create_table(
        "job_metrics",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=True),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], name=op.f("fk_job_metrics_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "attempt", "ordinal", name=op.f("pk_job_metrics")),
    )
    op.create_table(
        "log_chunks",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("first_line", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column(
            "inline",
            sa.LargeBinary(),
            nullable=True,
            comment="zlib-compressed JSON lines; null once sealed into the object store",
        ),
        sa.Column("uri", sa.Text(), nullable=True),
        sa.CheckConstraint("(inline IS NULL) <> (uri IS NULL)", name=op.f("chunk_is_inline_or_stored")),
        sa.CheckConstraint("lines > 0 AND first_line > 0", name=op.f("chunk_has_lines")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], name=op.f("fk_log_chunks_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "attempt", "rank", "first_line", name=op.f("pk_log_chunks")),
    )
    op.create_index(
        "ix_log_chunks_inline",
        "log_chunks",
        ["job_id", "attempt", "rank"],
        unique=False,
        postgresql_where=sa.text("inline IS NOT NULL"),
    )
    op.create_table(
        "login_codes",
        sa.Column("code_hash", sa.Text(), nullable=False, comment="a one-time link for the browser"),
        sa.Column("token_id", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["token_id"], ["tokens.token_id"], name=op.f("fk_login_codes_token_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_login_codes")),
    )
    op.create_table(
        "models",
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("manifest_sha256", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("workflow_name", sa.Text(), nullable=False),
        sa.Column("code_id", sa.Text(), nullable=True),
        sa.Column("git_sha", sa.Text(), nullable=True),
        sa.Column("dirty", sa.Boolean(), nullable=False),
        sa.Column("experimental", sa.Boolean(), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("info", postgresql.JSONB(), nullable=False),
        sa.Column("metrics", postgresql.JSONB(), nullable=False),
        sa.Column("data_sha256", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], name=op.f("fk_models_job_id")),
        sa.PrimaryKeyConstraint("model_id", name=op.f("pk_models")),
        sa.UniqueConstraint("job_id", name=op.f("uq_models_job_id")),
        sa.UniqueConstraint("manifest_sha256", name=op.f("uq_models_manifest_sha256")),
        sa.UniqueConstraint("seq", name=op.f("uq_models_seq")),
    )
    op.create_index("ix_models_name_seq", "models", ["name", sa.literal_column("seq DESC")], unique=False)
    op.create_index("ix_models_owner_seq", "models", ["owner", sa.literal_column("seq DESC")], unique=False)


def downgrade() -> None:
    op.drop_table("models")
    op.drop_table("login_codes")
    op.drop_table("log_chunks")
    op.drop_table("job_metrics")
    op.drop_table("job_events")
    op.drop_table("idempotency_keys")
    op.drop_table("code_workflows")
    op.drop_table("attempts")
    op.drop_table("workflow_claims")
    op.drop_table("tokens")
    op.drop_table("runtimes")
    op.drop_table("jobs")
    op.drop_table("code_versions")
