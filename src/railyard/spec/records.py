"""What the server keeps and answers: jobs, attempts, events, code versions, models, tokens, compute classes."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from pydantic import Field, JsonValue

from railyard.spec.attempt import Usage
from railyard.spec.base import JsonObject, Money, Record, Timestamp
from railyard.spec.result import Artifact, CodeInfo, DataSummary, ErrorReport, Metrics, ModelInfo, Step
from railyard.spec.states import State, StepName

Item = TypeVar("Item")


class Page(Record, Generic[Item]):
    """One page of a list, newest first; `next` is the value for `?after=` of the next page."""

    items: tuple[Item, ...]
    next: str | None = None


class Job(Record):
    """The job resource, as lists and `GET /v1/jobs/{id}` show it."""

    job_id: str
    seq: int
    """Grows with every job; lists page by it."""
    state: State
    reason: str | None = None
    """Why it waits or ended: a word of the closed list in spec/states.py."""
    message: str | None = None
    """The reason in a sentence."""
    cancel_requested_at: Timestamp | None = None
    model_name: str
    model_description: str
    owner: str
    project: str
    trainer: str
    submitted_by: str
    workflow_name: str
    code: str | None = None
    """The code bundle pinned at submit."""
    git_sha: str | None = None
    dirty: bool = False
    experimental: bool = False
    """Reads a mutable source or ran unmerged code: never to be promoted unattended."""
    compute_resource: str
    priority: int = 0
    labels: dict[str, str] = Field(default_factory=dict)
    rerun_of: str | None = None
    attempt: int = 0
    """Number of the current attempt; 0 before the first."""
    step: StepName | None = None
    progress: float | None = None
    node: str | None = None
    queue_position: int | None = None
    created_at: Timestamp
    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None
    not_before: Timestamp | None = None
    """A retry waits until then."""
    steps: tuple[Step, ...] = ()
    usage: Usage = Usage()
    model_id: str | None = None
    metrics: Metrics = Metrics()
    data: DataSummary | None = None
    error: ErrorReport | None = None
    cost: Money = Money()


class Attempt(Record):
    name: str
    job_id: str
    number: int
    state: Literal["starting", "running", "succeeded", "failed", "cancelled"]
    reason: str | None = None
    error: ErrorReport | None = None
    executor: str
    node: str | None = None
    warm: bool = False
    compute_resource: str
    cpu: float
    memory_bytes: int
    gpu: int = 0
    claimed_at: Timestamp
    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None
    heartbeat_at: Timestamp | None = None
    usage: Usage = Usage()
    steps: tuple[Step, ...] = ()
    log_lines: int | None = None
    cost: Money = Money()


class Event(Record):
    """An immutable record that something changed, when, by whom."""

    seq: int
    job_id: str
    attempt: int | None = None
    at: Timestamp
    kind: str
    """`submitted`, `claimed`, `started`, `succeeded`, `failed`, `retried`, `cancel_requested`, `cancelled`, …"""
    by: str
    """The duty, the runner or the user that moved it."""
    from_state: State | None = None
    to_state: State | None = None
    reason: str | None = None
    message: str | None = None
    detail: JsonObject = Field(default_factory=dict)


class JobResult(Record):
    """`GET /v1/jobs/{id}/result`: readable for ever, after process and image are gone."""

    job_id: str
    state: State
    reason: str | None
    attempt: int
    model_id: str | None
    workflow_name: str
    task: str | None
    request: str
    """The request as it was sent, byte for byte."""
    resolved_request: JsonObject
    code: CodeInfo
    data: DataSummary | None
    artifacts: tuple[Artifact, ...]
    metrics: Metrics
    model: ModelInfo | None = None
    """Format and size of the saved model; `pickled` where only a pickle could hold it."""
    steps: tuple[Step, ...]
    node: str | None
    compute_resource: str
    cost: Money
    error: ErrorReport | None
    seed: int
    warnings: tuple[str, ...] = ()
    extra: JsonObject = Field(default_factory=dict)
    timestamps: dict[str, Timestamp] = Field(default_factory=dict)
    """Time of every transition, by kind of event (the last one of each)."""


class NumberedLine(Record):
    line: int
    attempt: int
    rank: int = 0
    at: Timestamp
    source: Literal["stdout", "stderr", "system"]
    text: str


class LogPage(Record):
    lines: tuple[NumberedLine, ...]
    next: int
    """The value for `?after=` of the next read."""
    complete: bool
    """True when no further line can come: the attempt is final and its log sealed."""


class Plan(Record):
    """`POST /v1/jobs?dry_run=1`: what would run, what it would read, take and cost."""

    resolved_request: JsonObject
    code: str | None
    compute_resource: str
    cpu: float
    memory_bytes: int
    columns: dict[str, str]
    rows_total: int | None
    rows_estimated: int | None
    bytes_estimated: int | None
    seconds_estimated: float | None
    """Median of earlier jobs of this workflow; null without one."""
    jobs_seen: int
    cost: Money
    queue_position: int
    warnings: tuple[str, ...] = ()


class WorkflowInfo(Record):
    """One workflow class of a code bundle, or one broken file."""

    name: str
    file: str
    doc: str = ""
    broken: str | None = None
    """The traceback of the import, where the file does not load."""
    features: tuple[str, ...] | None = None
    label: str | None = None
    data_format: str = "pandas"
    param_schema: JsonObject | None = None
    """JSON schema of the parameter dataclass, where the workflow has one."""


class Workflow(Record):
    """`GET /v1/workflows`: a workflow with where it comes from and how it fared."""

    name: str
    project: str
    code: str
    deployed: bool
    info: WorkflowInfo
    jobs: int = 0
    last_job: str | None = None
    last_state: State | None = None
    last_metrics: Metrics = Metrics()
    last_owner: str | None = None


class CodeVersion(Record):
    """A registered code bundle: a content-addressed, immutable copy of a code project."""

    code_id: str
    """`c` and the first 12 hex digits of the zip's sha256."""
    project: str
    sha256: str
    bytes: int
    version: str | None = None
    """Set at deploy; `project@version` names it."""
    git_sha: str | None = None
    dirty: bool = False
    python: str | None = None
    lock_sha256: str | None = None
    runtime: str = "server"
    state: Literal["building", "ready", "broken"]
    message: str | None = None
    """Where broken: uv's own words, or the discovery's."""
    deployed_at: Timestamp | None = None
    created_at: Timestamp
    created_by: str
    workflows: tuple[WorkflowInfo, ...] = ()


class BundleManifest(Record):
    """bundle.json inside a code bundle."""

    format: int = 1
    project: str
    python: str | None = None
    """Wanted minor version, such as `3.12`; null takes the server's."""
    lock: str | None = None
    """Path of the pinned lock inside the bundle; null runs in the server's own interpreter."""
    workflows: str = "workflows"
    git_sha: str | None = None
    dirty: bool = False


class Model(Record):
    """One immutable model id."""

    model_id: str
    name: str
    manifest_sha256: str
    owner: str
    project: str
    description: str
    job_id: str
    attempt: int
    workflow_name: str
    code: str | None
    git_sha: str | None
    dirty: bool
    experimental: bool
    uri: str
    info: ModelInfo
    metrics: Metrics
    data_sha256: str | None
    created_at: Timestamp
    seq: int


class ModelName(Record):
    """`GET /v1/models`: the line of ids behind one name."""

    name: str
    owner: str
    project: str
    description: str
    ids: int
    latest: str
    latest_job: str
    latest_metrics: Metrics
    created_at: Timestamp
    updated_at: Timestamp


class TokenInfo(Record):
    """A token without its secret."""

    token_id: str
    user: str
    teams: tuple[str, ...]
    scopes: tuple[str, ...]
    """`read`, `submit`, `deploy`, `admin`; a wider one includes the narrower."""
    created_at: Timestamp
    last_used_at: Timestamp | None = None
    expires_at: Timestamp | None = None
    revoked_at: Timestamp | None = None


class NewToken(Record):
    token: str
    """Shown once; the server keeps its hash."""
    info: TokenInfo


class Whoami(Record):
    user: str
    teams: tuple[str, ...]
    scopes: tuple[str, ...]
    server: str
    version: str


class Price(Record):
    """Money per hour."""

    cpu_hour: float = 0.0
    gb_hour: float = 0.0
    gpu_hour: float = 0.0
    currency: str = "USD"


class ComputeClass(Record):
    """A named size: what an attempt gets unless the request overrides it, and the most it may ask for."""

    name: str
    cpu: float
    memory: str
    gpu: int = 0
    max_cpu: float | None = None
    max_memory: str | None = None
    slots: int | None = None
    """Attempts at once; null leaves it to capacity."""
    next_class: str | None = None
    """Where an out-of-memory retry goes."""
    price: Price | None = None


class ComputeState(Record):
    """`GET /v1/compute`: a class and how full it is."""

    compute_class: ComputeClass
    running: int
    queued: int
    free: int | None


class Comparison(Record):
    """`GET /v1/jobs/compare`: two jobs side by side, only what differs in the diffs."""

    jobs: tuple[Job, ...]
    metrics: dict[str, tuple[float | None, ...]]
    """`holdout.auc` and so on, one value per job."""
    params: dict[str, tuple[JsonValue, ...]]
    request: dict[str, tuple[JsonValue, ...]]
    """JSON pointer to the values that differ."""
    data: dict[str, tuple[JsonValue, ...]]


class FieldProblem(Record):
    """One bad field of a request."""

    path: str
    """`data.filters[2].predicate`."""
    expected: str
    got: str
    nearest: str | None = None
    """The nearest valid value, where there is a set of them."""


class Problem(Record):
    """The body of every error answer, under `error`."""

    code: str
    message: str
    why: str = ""
    mend: str = ""
    docs: str = ""
    request_id: str = ""
    fields: tuple[FieldProblem, ...] = ()
    detail: JsonObject = Field(default_factory=dict)
