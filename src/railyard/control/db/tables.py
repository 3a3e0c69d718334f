"""Every table. Migrations under db/migrations make them; a test compares the two.

What a list page shows or filters is an indexed column; the rest is JSONB.
Constraints are named after the rule they hold.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from railyard.spec.reasons import END_REASONS, WAIT_REASONS
from railyard.spec.states import FINAL_STATES, STATES

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _one_of(column: str, words: tuple[str, ...] | frozenset[str]) -> str:
    return f"{column} IN ({', '.join(repr(word) for word in sorted(words))})"


_NOT_FINAL = text("state IN ('queued', 'starting', 'running')")
_NOW = func.now()


def _when(name: str, *, now: bool = False) -> Column:  # type: ignore[type-arg]
    return Column(name, DateTime(timezone=True), nullable=not now, server_default=_NOW if now else None)


jobs = Table(
    "jobs",
    metadata,
    Column("job_id", Text, primary_key=True),
    Column("seq", BigInteger, Identity(always=True), nullable=False, unique=True),
    Column("state", Text, nullable=False, server_default="queued"),
    Column("reason", Text),
    Column("message", Text),
    Column("model_name", Text, nullable=False),
    Column("model_description", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("trainer", Text, nullable=False),
    Column("submitted_by", Text, nullable=False),
    Column("workflow_name", Text, nullable=False),
    Column("code_id", Text),
    Column("git_sha", Text),
    Column("dirty", Boolean, nullable=False, server_default=text("false")),
    Column("experimental", Boolean, nullable=False, server_default=text("false")),
    Column("compute_resource", Text, nullable=False),
    Column("cpu", Double, nullable=False),
    Column("memory_bytes", BigInteger, nullable=False),
    Column("gpu", Integer, nullable=False, server_default=text("0")),
    Column("timeout_seconds", Integer, nullable=False),
    Column("priority", Integer, nullable=False, server_default=text("0")),
    Column("labels", JSONB, nullable=False, server_default=text("'{}'")),
    Column("retries", JSONB, nullable=False, server_default=text("'{}'"), comment="retries used, by budget"),
    Column("rerun_of", Text),
    Column("request_text", Text, nullable=False, comment="the request as it was sent"),
    Column("resolved_request", JSONB, nullable=False),
    Column("attempt", Integer, nullable=False, server_default=text("0"), comment="number of the current attempt"),
    Column("step", Text),
    Column("progress", Double),
    Column("node", Text),
    _when("created_at", now=True),
    _when("started_at"),
    _when("finished_at"),
    _when("not_before"),
    _when("cancel_requested_at"),
    Column("cancel_requested_by", Text),
    Column("model_id", Text),
    Column("metrics", JSONB, nullable=False, server_default=text("'{}'"), comment="spec Metrics"),
    Column("data", JSONB, comment="spec DataSummary without the list of files, which stays in result"),
    Column("steps", JSONB, nullable=False, server_default=text("'[]'")),
    Column("usage", JSONB, nullable=False, server_default=text("'{}'")),
    Column("error", JSONB),
    Column("result", JSONB, comment="the result manifest of the attempt that succeeded"),
    Column("cost_amount", Numeric, comment="of the attempts that are over"),
    Column("cost_currency", Text),
    Column("cost_formula", Text, nullable=False, server_default=""),
    Column("core_seconds", Double, nullable=False, server_default=text("0")),
    CheckConstraint(_one_of("state", STATES), name="state_is_known"),
    CheckConstraint(f"reason IS NULL OR {_one_of('reason', (*END_REASONS, *WAIT_REASONS))}", name="reason_is_known"),
    CheckConstraint(f"({_one_of('state', FINAL_STATES)}) = (finished_at IS NOT NULL)", name="final_has_finished_at"),
    CheckConstraint("state <> 'failed' OR reason IS NOT NULL", name="failed_has_reason"),
    CheckConstraint(
        "state <> 'succeeded' OR (result IS NOT NULL AND model_id IS NOT NULL)", name="succeeded_has_result"
    ),
    CheckConstraint("state NOT IN ('starting', 'running') OR attempt > 0", name="active_has_attempt"),
    # The duties look only at jobs that are not final, so their cost does not grow with history.
    Index("ix_jobs_queue", "compute_resource", text("priority DESC"), "seq", postgresql_where=text("state = 'queued'")),
    Index("ix_jobs_active", "state", "job_id", postgresql_where=_NOT_FINAL),
    Index("ix_jobs_job_id_prefix", "job_id", postgresql_ops={"job_id": "text_pattern_ops"}),
    *(
        Index(f"ix_jobs_{column}_seq", column, text("seq DESC"))
        for column in (
            "state", "reason", "owner", "project", "trainer", "model_name", "workflow_name", "compute_resource",
            "node", "code_id",
        )
    ),
    Index("ix_jobs_labels", "labels", postgresql_using="gin"),
    Index("ix_jobs_created_at", "created_at"),
)  # fmt: skip

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("user", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("request_sha256", Text, nullable=False),
    Column("job_id", Text, ForeignKey("jobs.job_id", ondelete="CASCADE"), nullable=False),
    _when("created_at", now=True),
    PrimaryKeyConstraint("user", "key"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.job_id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", Text, nullable=False, server_default="starting"),
    Column("reason", Text),
    Column("error", JSONB),
    Column(
        "nonce",
        Text,
        nullable=False,
        comment="with the server's secret gives the token; the same on every start of this name",
    ),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("executor", Text, nullable=False),
    Column("outbox", Text, nullable=False, server_default="submit", comment="submit, submitted, remove, removed"),
    Column("uid", Text, comment="what the executor started"),
    Column("node", Text),
    Column("warm", Boolean, nullable=False, server_default=text("false")),
    Column("compute_resource", Text, nullable=False),
    Column("cpu", Double, nullable=False),
    Column("memory_bytes", BigInteger, nullable=False),
    Column("gpu", Integer, nullable=False),
    Column("price", JSONB, comment="copied at the claim"),
    _when("claimed_at", now=True),
    _when("started_at"),
    _when("finished_at"),
    _when("heartbeat_at"),
    _when("gone_since"),
    Column("stop_reason", Text, comment="why the platform asked it to end: timeout, budget, cancelled_by_user"),
    _when("stop_asked_at"),
    _when("log_sealed_at"),
    _when("swept_at"),
    Column("usage", JSONB, nullable=False, server_default=text("'{}'")),
    Column("steps", JSONB, nullable=False, server_default=text("'[]'")),
    Column(
        "log_lines", BigInteger, comment="lines in all, known at the end: the log is sealed when that many are here"
    ),
    PrimaryKeyConstraint("job_id", "number"),
    CheckConstraint(
        _one_of("state", ("starting", "running", "succeeded", "failed", "cancelled")), name="attempt_state_is_known"
    ),
    CheckConstraint(
        "(state IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL)",
        name="final_attempt_has_finished_at",
    ),
    CheckConstraint(_one_of("outbox", ("submit", "submitted", "remove", "removed")), name="outbox_is_known"),
    Index(
        "one_active_attempt_per_job", "job_id", unique=True, postgresql_where=text("state IN ('starting', 'running')")
    ),
    # What a duty still has to do with attempts that are over; empty when it has caught up.
    Index("ix_attempts_outbox", "outbox", postgresql_where=text("outbox <> 'removed'")),
    Index(
        "ix_attempts_unsealed",
        "finished_at",
        postgresql_where=text("finished_at IS NOT NULL AND log_sealed_at IS NULL"),
    ),
    Index(
        "ix_attempts_unswept",
        "finished_at",
        postgresql_where=text("state IN ('failed', 'cancelled') AND swept_at IS NULL"),
    ),
)

job_events = Table(
    "job_events",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("xact", BigInteger, nullable=False, server_default=text("(pg_current_xact_id()::text::bigint)")),
    Column("job_id", Text, ForeignKey("jobs.job_id", ondelete="CASCADE"), nullable=False),
    Column("attempt", Integer),
    _when("at", now=True),
    Column("kind", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("from_state", Text),
    Column("to_state", Text),
    Column("reason", Text),
    Column("message", Text),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'")),
    Index("ix_job_events_job_id_seq", "job_id", "seq"),
)

job_metrics = Table(
    "job_metrics",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.job_id", ondelete="CASCADE"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("ordinal", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("step", BigInteger),
    Column("value", Double),
    _when("at", now=True),
    PrimaryKeyConstraint("job_id", "attempt", "ordinal"),
)

log_chunks = Table(
    "log_chunks",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.job_id", ondelete="CASCADE"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("rank", Integer, nullable=False, server_default=text("0")),
    Column("first_line", BigInteger, nullable=False),
    Column("lines", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("inline", LargeBinary, comment="zlib-compressed JSON lines; null once sealed into the object store"),
    Column("uri", Text),
    PrimaryKeyConstraint("job_id", "attempt", "rank", "first_line"),
    CheckConstraint("(inline IS NULL) <> (uri IS NULL)", name="chunk_is_inline_or_stored"),
    CheckConstraint("lines > 0 AND first_line > 0", name="chunk_has_lines"),
    Index("ix_log_chunks_inline", "job_id", "attempt", "rank", postgresql_where=text("inline IS NOT NULL")),
)

models = Table(
    "models",
    metadata,
    Column("model_id", Text, primary_key=True),
    Column("seq", BigInteger, Identity(always=True), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("manifest_sha256", Text, nullable=False, unique=True),
    Column("owner", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("job_id", Text, ForeignKey("jobs.job_id"), nullable=False, unique=True),
    Column("attempt", Integer, nullable=False),
    Column("workflow_name", Text, nullable=False),
    Column("code_id", Text),
    Column("git_sha", Text),
    Column("dirty", Boolean, nullable=False),
    Column("experimental", Boolean, nullable=False),
    Column("uri", Text, nullable=False),
    Column("info", JSONB, nullable=False),
    Column("metrics", JSONB, nullable=False),
    Column("data_sha256", Text),
    _when("created_at", now=True),
    Index("ix_models_name_seq", "name", text("seq DESC")),
    Index("ix_models_owner_seq", "owner", text("seq DESC")),
)

code_versions = Table(
    "code_versions",
    metadata,
    Column("code_id", Text, primary_key=True),
    Column("seq", BigInteger, Identity(always=True), nullable=False, unique=True),
    Column("project", Text, nullable=False),
    Column("sha256", Text, nullable=False, unique=True),
    Column("bytes", BigInteger, nullable=False),
    Column("uri", Text, nullable=False),
    Column("version", Text),
    Column("git_sha", Text),
    Column("dirty", Boolean, nullable=False, server_default=text("false")),
    Column("python", Text),
    Column("lock_sha256", Text),
    Column("runtime", Text, nullable=False, server_default="server"),
    Column("state", Text, nullable=False, server_default="building"),
    Column("message", Text),
    _when("deployed_at"),
    _when("created_at", now=True),
    Column("created_by", Text, nullable=False),
    CheckConstraint(_one_of("state", ("building", "ready", "broken")), name="code_state_is_known"),
    UniqueConstraint("project", "version"),
)

code_workflows = Table(
    "code_workflows",
    metadata,
    Column("code_id", Text, ForeignKey("code_versions.code_id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False, comment="the class, or the file where it is broken"),
    Column("file", Text, nullable=False),
    Column("info", JSONB, nullable=False, comment="spec WorkflowInfo"),
    PrimaryKeyConstraint("code_id", "name"),
    Index("ix_code_workflows_name", "name"),
)

workflow_claims = Table(
    "workflow_claims",
    metadata,
    Column("name", Text, primary_key=True, comment="a workflow name lives in one code project per server"),
    Column("project", Text, nullable=False),
)

runtimes = Table(
    "runtimes",
    metadata,
    Column("key", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("python", Text),
    Column("message", Text),
    _when("created_at", now=True),
    _when("finished_at"),
    CheckConstraint(_one_of("state", ("building", "ready", "broken")), name="runtime_state_is_known"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("token_id", Text, primary_key=True),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("user", Text, nullable=False),
    Column("teams", ARRAY(Text), nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    _when("created_at", now=True),
    _when("last_used_at"),
    _when("expires_at"),
    _when("revoked_at"),
)

login_codes = Table(
    "login_codes",
    metadata,
    Column("code_hash", Text, primary_key=True, comment="a one-time link for the browser"),
    Column("token_id", Text, ForeignKey("tokens.token_id", ondelete="CASCADE"), nullable=False),
    _when("expires_at", now=True),
)
