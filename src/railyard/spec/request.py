"""The training request: one JSON document that holds everything a training needs.

The documented literals are byte-exact; the completed enums follow the same naming.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StrictInt, model_validator

from railyard.spec.base import JsonObject, Label, Name, Spec, Text

Predicate = Literal["Eq", "NotEq", "Lt", "LtEq", "Gt", "GtEq", "IsIn", "NotIn", "IsNull", "IsNotNull"]
SamplingFunction = Literal["DATE_RANGE", "RANDOM", "HASH", "COLUMN", "NONE"]
Source = Literal["s3", "file", "sql"]

LIST_PREDICATES = frozenset({"IsIn", "NotIn"})
NULL_PREDICATES = frozenset({"IsNull", "IsNotNull"})


def _exact(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        raise ValueError("a number that a double holds exactly (use int_val or int_vals for integers above 2^53)")
    return value


Number = Annotated[float, BeforeValidator(_exact), Field(strict=True, allow_inf_nan=False)]
"""A finite number; an integer literal is welcome, a string or a boolean is not."""
DATE = (
    r"^\d{4}-\d{2}-\d{2}"
    r"([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?(Z|[+-]([01]\d|2[0-3]):?[0-5]\d)?)?$"
)


def _of_the_calendar(value: str) -> str:
    try:
        date.fromisoformat(value[:10])
    except ValueError:
        raise ValueError("a day of the calendar") from None
    return value


Date = Annotated[str, Field(pattern=DATE), AfterValidator(_of_the_calendar)]
"""`YYYY-MM-DD` (midnight UTC) or an ISO 8601 timestamp; without a zone it is read as UTC."""


class FeatureValue(Spec):
    """A typed value: exactly one key is set."""

    string_val: str | None = None
    float_val: Number | None = None
    int_val: StrictInt | None = None
    bool_val: StrictBool | None = None
    timestamp_val: Date | None = None
    string_vals: tuple[str, ...] | None = None
    int_vals: tuple[StrictInt, ...] | None = None
    float_vals: tuple[Number, ...] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> FeatureValue:
        present = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(present) != 1:
            raise ValueError(
                f"exactly one of {', '.join(type(self).model_fields)}; got {', '.join(present) if present else 'none'}"
            )
        return self

    @property
    def kind(self) -> str:
        """The name of the key that is set, such as `string_val`."""
        return next(name for name in type(self).model_fields if getattr(self, name) is not None)

    @property
    def value(self) -> str | float | int | bool | tuple[str, ...] | tuple[int, ...] | tuple[float, ...]:
        """The value behind the key that is set."""
        found: str | float | int | bool | tuple[str, ...] = getattr(self, self.kind)
        return found


class Filter(Spec):
    """One condition on one column; all filters of a request must hold. Null never satisfies a comparison."""

    feature_name: Label
    predicate: Predicate
    feature_value: FeatureValue | None = None

    @model_validator(mode="after")
    def _value_fits_predicate(self) -> Filter:
        if self.predicate in NULL_PREDICATES:
            if self.feature_value is not None:
                raise ValueError(f"no feature_value with {self.predicate}; got {self.feature_value.kind}")
        elif self.feature_value is None:
            raise ValueError(f"a feature_value with {self.predicate}; got none")
        elif (self.predicate in LIST_PREDICATES) != self.feature_value.kind.endswith("_vals"):
            wanted = "a list (string_vals, int_vals, float_vals)" if self.predicate in LIST_PREDICATES else "one value"
            raise ValueError(f"{wanted} with {self.predicate}; got {self.feature_value.kind}")
        return self


def _once(columns: tuple[str, ...], field: str) -> None:
    repeated = next((column for column in columns if columns.count(column) > 1), None)
    if repeated is not None:
        raise ValueError(f"each column once in {field}; got {repeated} {columns.count(repeated)} times")


class FeatureSource(Spec):
    """One source of columns."""

    names: Annotated[tuple[Label, ...], Field(min_length=1)]
    source: Source
    path: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    """Parquet: a file, a folder, a glob or hive partitions; `s3://…` or a local path."""
    connection: Name | None = None
    """With `source: sql`: the name of a data connection in the server's settings."""
    query: Annotated[str, Field(min_length=1, max_length=100_000)] | None = None

    @model_validator(mode="after")
    def _fields_fit_source(self) -> FeatureSource:
        _once(self.names, "names")
        if self.source == "sql":
            if self.connection is None or self.query is None or self.path is not None:
                raise ValueError(f"connection and query, and no path, with source sql; got {self._given}")
            return self
        if self.path is None or self.connection is not None or self.query is not None:
            raise ValueError(f"path, and neither connection nor query, with source {self.source}; got {self._given}")
        if self.source == "s3" and not re.match(r"s3://[^/]", self.path):
            raise ValueError(f's3://bucket/… as path (a local one goes with source "file"); got {self.path}')
        if self.source == "file" and re.match(r"^[a-z0-9+.-]+://", self.path) and not self.path.startswith("file://"):
            raise ValueError(f'a local path or file://… (s3://… goes with source "s3"); got {self.path}')
        return self

    @property
    def _given(self) -> str:
        present = [name for name in ("path", "connection", "query") if getattr(self, name) is not None]
        return " and ".join(present) or "none of them"


class DateRangeSampling(Spec):
    date_column: Label
    start_date: Date
    end_date: Date

    @model_validator(mode="after")
    def _in_order(self) -> DateRangeSampling:
        start, end = (datetime.fromisoformat(text) for text in (self.start_date, self.end_date))
        if start.replace(tzinfo=start.tzinfo or UTC) > end.replace(tzinfo=end.tzinfo or UTC):
            raise ValueError(f"a start_date that is not after end_date; got {self.start_date} to {self.end_date}")
        return self


class RandomSampling(Spec):
    fraction: Annotated[float, Field(strict=True, gt=0, lt=1)]
    seed: StrictInt = 0


class HashSampling(Spec):
    column: Label
    fraction: Annotated[float, Field(strict=True, gt=0, lt=1)]
    salt: str = ""


class ColumnSampling(Spec):
    column: Label
    holdout_values: Annotated[tuple[str | StrictBool | StrictInt | float, ...], Field(min_length=1)]


SAMPLING_BLOCKS = {
    "DATE_RANGE": "date_range_sampling",
    "RANDOM": "random_sampling",
    "HASH": "hash_sampling",
    "COLUMN": "column_sampling",
}


class HoldoutSampling(Spec):
    """Which rows form the holdout; the discriminator names the block that must stand beside it."""

    sampling_function: SamplingFunction
    date_range_sampling: DateRangeSampling | None = None
    random_sampling: RandomSampling | None = None
    hash_sampling: HashSampling | None = None
    column_sampling: ColumnSampling | None = None

    @model_validator(mode="after")
    def _block_fits_function(self) -> HoldoutSampling:
        wanted = SAMPLING_BLOCKS.get(self.sampling_function)
        present = [block for block in SAMPLING_BLOCKS.values() if getattr(self, block) is not None]
        if present != ([wanted] if wanted else []):
            needs = f"{wanted} alone" if wanted else "no block"
            raise ValueError(f"{needs} with {self.sampling_function}; got {', '.join(present) if present else 'none'}")
        return self

    @property
    def column(self) -> str | None:
        """The column the split reads, if it reads one."""
        if self.date_range_sampling:
            return self.date_range_sampling.date_column
        if self.hash_sampling:
            return self.hash_sampling.column
        return self.column_sampling.column if self.column_sampling else None


class Data(Spec):
    features: Annotated[tuple[FeatureSource, ...], Field(min_length=1)]
    date_column: Label | None = None
    filters: tuple[Filter, ...] = ()
    holdout_sampling: HoldoutSampling | None = None
    join_on: tuple[Label, ...] = ()

    @model_validator(mode="after")
    def _several_sources_need_keys(self) -> Data:
        if len(self.features) > 1 and not self.join_on:
            raise ValueError("join_on (the columns that every source shares) with several features entries; got none")
        if len(self.features) == 1 and self.join_on:
            raise ValueError("several features entries with join_on; got one")
        return self


CLASS = r"^[A-Za-z_][A-Za-z0-9_]*$"


class Train(Spec):
    workflow_name: Annotated[str, Field(max_length=128, pattern=CLASS)]
    classifier_features: tuple[Label, ...] = ()
    label: Label | None = None
    custom_params: JsonObject = Field(default_factory=dict)
    """Any JSON object, handed to the workflow untouched."""

    @model_validator(mode="after")
    def _features_once(self) -> Train:
        _once(self.classifier_features, "classifier_features")
        return self


_MEMORY = re.compile(r"^(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti|K|M|G|T)?$")
_UNITS = {None: 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def memory_bytes(text: str) -> int:
    """Bytes of a Kubernetes quantity such as `12Gi`, `512Mi` or `2G`."""
    found = _MEMORY.match(text)
    if not found:
        raise ValueError('expected a quantity such as "12Gi" or "512Mi"')
    return int(float(found[1]) * _UNITS[found[2]])


def _memory(value: str) -> str:
    if memory_bytes(value) < 2**20:
        raise ValueError("at least 1Mi")
    return value


Memory = Annotated[str, AfterValidator(_memory)]


class Resources(Spec):
    """Overrides of the class's request, within its limits."""

    cpu: Annotated[float, Field(strict=True, gt=0, le=1024)] | None = None
    memory: Memory | None = None
    gpu: Annotated[StrictInt, Field(ge=0, le=64)] | None = None


class OutOfMemoryRetry(Spec):
    max: Annotated[StrictInt, Field(ge=0, le=10)] = 0
    next_class: StrictBool = True


class RetryPolicy(Spec):
    """How often each class of cause may be tried again. The platform's faults never eat the user's budget."""

    user_code: Annotated[StrictInt, Field(ge=0, le=100)] = 0
    out_of_memory: OutOfMemoryRetry = OutOfMemoryRetry()
    infrastructure: Annotated[StrictInt, Field(ge=0, le=100)] = 5
    preempted: Annotated[StrictInt, Field(ge=0)] | Literal["unlimited"] = "unlimited"


CURRENCY = r"^[A-Z]{3}$"


class MaxCost(Spec):
    amount: Annotated[float, Field(strict=True, gt=0)]
    currency: Annotated[str, Field(pattern=CURRENCY)]


MetricName = Literal[
    "auc", "pr_auc", "log_loss", "brier", "precision", "recall", "f1", "accuracy", "positive_rate", "macro_f1",
    "macro_auc", "rmse", "mae", "r2", "mape", "gini", "ks", "best_f1", "mcc", "specificity", "balanced_accuracy",
    "calibration_error", "lift_10", "macro_precision", "macro_recall", "weighted_f1", "top_3_accuracy",
    "median_absolute_error", "max_error", "bias", "explained_variance", "wape", "rmsle",
]  # fmt: skip
"""The names of the platform's metrics; what each means stands in compute/evaluation/registry.py."""


class Evaluation(Spec):
    """On top of the default metrics."""

    slices: tuple[Label, ...] = ()
    thresholds: tuple[Annotated[float, Field(strict=True, ge=0, le=1)], ...] = ()
    metrics: tuple[MetricName, ...] = ()


def _class_name(value: object) -> object:
    return value.upper() if isinstance(value, str) and value.upper() in {"CPU", "HIGH_MEMORY", "GPU"} else value


class TrainingRequest(Spec):
    """The body of `POST /v1/jobs`."""

    model_description: Text
    model_name: Name
    owner: Label
    project: Label
    trainer: Label
    data: Data
    train: Train
    compute_resource: Annotated[str, BeforeValidator(_class_name), Field(max_length=64)] = "CPU"
    code: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    resources: Resources = Resources()
    timeout_seconds: Annotated[StrictInt, Field(ge=1, le=30 * 86400)] = 86400
    priority: Annotated[StrictInt, Field(ge=-100, le=100)] = 0
    retry: RetryPolicy = RetryPolicy()
    max_cost: MaxCost | None = None
    seed: Annotated[StrictInt, Field(ge=0, le=2**32 - 1)] = 0
    workers: Annotated[StrictInt, Field(ge=1, le=1024)] = 1
    evaluation: Evaluation = Evaluation()
    labels: dict[Name, Annotated[str, Field(max_length=256)]] = Field(default_factory=dict)

    @property
    def experimental(self) -> bool:
        """SQL sources mutate under the model, so a job that reads one is an experiment."""
        return any(source.source == "sql" for source in self.data.features)


def needed_columns(request: TrainingRequest) -> list[str]:
    """The projection: names, date column, filters, features, label, holdout column, join keys, slices; each once."""
    data, train = request.data, request.train
    wanted = [name for source in data.features for name in source.names]
    wanted += [data.date_column] if data.date_column else []
    wanted += [condition.feature_name for condition in data.filters]
    wanted += train.classifier_features
    wanted += [train.label] if train.label else []
    holdout = data.holdout_sampling.column if data.holdout_sampling else None
    wanted += [holdout] if holdout else []
    wanted += [*data.join_on, *request.evaluation.slices]
    return list(dict.fromkeys(wanted))


PREDICATES: tuple[str, ...] = get_args(Predicate)
SAMPLING_FUNCTIONS: tuple[str, ...] = get_args(SamplingFunction)
