"""What an attempt delivers: the result manifest, committed once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from railyard.spec.base import JsonObject, Record, Timestamp
from railyard.spec.reasons import EndReason
from railyard.spec.states import StepName

ArtifactKind = Literal["model", "eval", "report", "log", "data"]


class SourceFile(Record):
    """One file (or snapshot) that was read: what makes two readings the same data."""

    path: str
    bytes: int
    etag: str | None = None
    sha256: str | None = None
    """Local files carry sha256, objects in a store carry their etag."""
    rows: int | None = None
    """Rows in the file, from the Parquet footer."""


class Fingerprint(Record):
    """Identity of the data a model saw."""

    sha256: str
    """Over files, schema and rows; never over a float aggregate."""
    files: tuple[SourceFile, ...]
    schema_: Annotated[dict[str, str], Field(alias="schema")]
    """Column to type, as the engine names it, in the order of the projection."""
    rows: int


class DataSummary(Record):
    """Counts of one fetch: rows_train + rows_holdout = rows_after_filters ≤ rows_read."""

    fingerprint: Fingerprint
    rows_read: int
    """Rows of the sources before any filter (after the join, with several sources)."""
    rows_after_filters: int
    rows_train: int
    rows_holdout: int
    rows_train_after_holdout: int | None = None
    """Training rows later than a DATE_RANGE holdout: a possible leak, worth a warning."""
    columns: tuple[str, ...]
    """The columns read."""
    columns_available: int
    bytes_read: int
    """Compressed Parquet bytes of the columns read, less row groups that statistics rule out."""
    bytes_total: int
    experimental: bool = False
    warnings: tuple[str, ...] = ()


class Step(Record):
    name: StepName
    started_at: Timestamp
    finished_at: Timestamp | None = None
    seconds: float | None = None
    """By a monotonic clock."""
    peak_memory: int | None = None
    """Bytes, of the attempt's processes together, up to the end of the step."""


class Artifact(Record):
    kind: ArtifactKind
    path: str
    """Relative to the attempt's folder in the artifact store."""
    sha256: str
    bytes: int
    format: str
    uri: str = ""
    """Filled in by the server at commit."""


class Metrics(Record):
    train: dict[str, float | None] = Field(default_factory=dict)
    holdout: dict[str, float | None] = Field(default_factory=dict)


class ModelInfo(Record):
    """The bundle that an attempt saved; its id is arithmetic on the manifest."""

    manifest_sha256: str
    format: str
    """`xgboost_ubj`, `lightgbm_txt`, …, or `cloudpickle`."""
    pickled: bool
    """True where only a pickle could hold the model: it will be served in a process of its own."""
    bytes: int
    framework: str
    framework_version: str
    features: tuple[str, ...]
    label: str | None


class CodeInfo(Record):
    code_id: str | None = None
    project: str | None = None
    git_sha: str | None = None
    dirty: bool = False
    runtime: str = ""
    """Key of the runtime, or `server` for the interpreter that runs the server."""
    image_digest: str | None = None
    python: str = ""
    library_versions: dict[str, str] = Field(default_factory=dict)


class ResultManifest(Record):
    """The body of an attempt's commit."""

    attempt: str
    workflow_name: str
    task: Literal["binary", "multiclass", "regression", "none"]
    """What kind of label was met; `none` where there is no label."""
    data: DataSummary | None
    metrics: Metrics
    steps: tuple[Step, ...]
    artifacts: tuple[Artifact, ...]
    model: ModelInfo
    code: CodeInfo
    seed: int
    extra: JsonObject = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    log_lines: int | None = None
    """Lines the supervisor numbered in all: the log is complete when that many have arrived."""


class ErrorReport(Record):
    """How and why an attempt failed; the same object the API, the CLI and the page show."""

    code: EndReason
    """The same word as the job's `reason`."""
    message: str
    """One sentence: what was expected, what came, where."""
    mend: str = ""
    """What to do next, runnable where that is possible."""
    step: StepName | None = None
    traceback: str = ""
    """The user's frames, innermost last; at most 64 KiB."""
    evidence: JsonObject = Field(default_factory=dict)
    """Facts, such as peak_memory and memory_limit in bytes, exit_code, signal, available columns."""
