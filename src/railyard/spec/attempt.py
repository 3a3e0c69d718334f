"""The protocol between the runner and the server: /v1/attempts/{name}/…, with the attempt's own token."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from railyard.spec.base import JsonObject, Record, Timestamp
from railyard.spec.request import TrainingRequest
from railyard.spec.result import ErrorReport, Step
from railyard.spec.states import StepName

PROTOCOL_VERSION = 1
"""Raised when a runner and a server of different versions could misread each other."""


class Limits(Record):
    """What an attempt may use."""

    cpu: float
    memory_bytes: int
    gpu: int = 0
    timeout_seconds: int = 86400
    cancel_grace_seconds: float = 5.0
    log_bytes: int = 2**30


class S3Access(Record):
    """How an s3:// path is reached; the secret travels only in this answer, never in argv, a log or a table."""

    endpoint: str | None = None
    region: str = "us-east-1"
    allow_http: bool = False
    access_key: str | None = None
    secret_key: str | None = None


class DataAccess(Record):
    """Where the names in a request's data block lead on this installation."""

    buckets: dict[str, str] = Field(default_factory=dict)
    """Bucket to local folder: `s3://<bucket>/x` is read from `<folder>/x`."""
    s3: S3Access = S3Access()
    connections: dict[str, str] = Field(default_factory=dict)
    """Connection name to URL; only those that the request names."""
    sql_timeout_seconds: int = 600
    folder: str | None = None
    """What a relative path of a request is relative to: the folder that the server was started in. None is the
    current one."""


class CodeRef(Record):
    code_id: str | None = None
    folder: str
    """Where the code bundle lies unpacked for this attempt (the project folder: it holds workflows/)."""
    project: str | None = None
    git_sha: str | None = None
    dirty: bool = False
    runtime: str = "server"


class AttemptSpec(Record):
    """Everything the runner needs to carry out one attempt: the answer to GET /v1/attempts/{name}/spec."""

    protocol: int = PROTOCOL_VERSION
    name: str
    job_id: str
    number: int
    request: TrainingRequest
    seed: int
    code: CodeRef
    data: DataAccess
    limits: Limits
    heartbeat_seconds: float = 5.0


class Started(Record):
    """POST started: the runner's first report (starting → running)."""

    protocol: int = PROTOCOL_VERSION
    node: str
    pid: int
    python: str = ""
    warm: bool = False
    clock: Timestamp
    """The runner's wall clock: display and skew warning only."""


class Usage(Record):
    memory_bytes: int = 0
    peak_memory_bytes: int = 0
    cpu_seconds: float = 0.0


class Heartbeat(Record):
    """POST heartbeat."""

    step: StepName | None = None
    progress: float | None = None
    """0 to 1, where the workflow reports it."""
    usage: Usage = Usage()
    steps: tuple[Step, ...] = ()
    """Every step so far; the server replaces what it has."""


class HeartbeatAnswer(Record):
    cancel_requested: bool = False
    stale: bool = False
    """The attempt is no longer the job's current one: stop, deliver nothing."""


class LogChunk(Record):
    """POST logs: idempotent by first_line. Lines are numbered from 1 by the supervisor."""

    first_line: int
    lines: tuple[LogLine, ...]
    rank: int = 0


class LogLine(Record):
    at: Timestamp
    source: Literal["stdout", "stderr", "system"]
    text: str


class MetricPoint(Record):
    name: str
    value: float | None
    """None for NaN and infinities, which JSON cannot hold."""
    step: int | None = None
    at: Timestamp


class MetricBatch(Record):
    """POST metrics: idempotent by (attempt, first)."""

    first: int
    """Ordinal of the first point of the batch within the attempt, from 1."""
    points: tuple[MetricPoint, ...]


class Failure(Record):
    """POST fail."""

    error: ErrorReport
    usage: Usage = Usage()
    steps: tuple[Step, ...] = ()
    log_lines: int = 0
    """Lines the supervisor numbered in all: logs are sealed when that many have arrived."""


class PlanQuestion(Record):
    """What `runner plan` is asked: the schema of the sources, estimates, whether the workflow loads."""

    request: TrainingRequest
    code: CodeRef
    data: DataAccess


class PlanAnswer(Record):
    """What a look at footers and statistics tells, without reading data."""

    columns: dict[str, str]
    """Every column of the sources with its type."""
    rows_total: int | None
    rows_estimated: int | None
    """After the filters, from row-group statistics: an upper bound; null where there are none (SQL)."""
    bytes_estimated: int | None
    files: int
    param_schema: JsonObject | None = None
    error: ErrorReport | None = None


LogChunk.model_rebuild()
