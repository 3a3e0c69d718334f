"""Jobs side by side: metrics, parameters, and what differs in request and data. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from pydantic import JsonValue

from railyard.spec.base import JsonObject, dump
from railyard.spec.records import Comparison, Job, JobResult

_PARAMS = "/train/custom_params"
_DATA_FACTS = (
    "rows_read", "rows_after_filters", "rows_train", "rows_holdout", "columns_available", "bytes_read", "bytes_total",
)  # fmt: skip


def compare(jobs: Sequence[Job], results: Sequence[JobResult]) -> Comparison:
    """The comparison of jobs and their results, in the same order. Values that a job does not have are null.

    `params` holds every parameter, `request` and `data` only what differs; parameters are not repeated in `request`.
    """
    if len(jobs) != len(results):
        raise ValueError(f"expected as many results as jobs, got {len(results)} and {len(jobs)}")
    requests = [dict(_leaves(result.resolved_request)) for result in results]
    params = [_below(request, _PARAMS) for request in requests]
    rest = [{path: value for path, value in request.items() if not _is_below(path, _PARAMS)} for request in requests]
    return Comparison(
        jobs=tuple(jobs),
        metrics=cast("dict[str, tuple[float | None, ...]]", _side_by_side([_metrics(result) for result in results])),
        params=_side_by_side(params),
        request=_differing(_side_by_side(rest)),
        data=_differing(_side_by_side([_data(result) for result in results])),
    )


def _metrics(result: JobResult) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for split, values in (("holdout", result.metrics.holdout), ("train", result.metrics.train)):
        found |= {f"{split}.{name}": value for name, value in values.items()}
    return found


def _data(result: JobResult) -> dict[str, JsonValue]:
    """Counts, the schema by column, and every file by its identity: what a change of the data shows in."""
    if result.data is None:
        return {}
    summary = dump(result.data)
    fingerprint = summary["fingerprint"]
    found: dict[str, JsonValue] = {"fingerprint": fingerprint["sha256"]}
    found |= {name: summary[name] for name in _DATA_FACTS}
    found |= {f"schema.{column}": kind for column, kind in fingerprint["schema"].items()}
    for file in fingerprint["files"]:
        identity = file["sha256"] or file["etag"]
        found[f"file.{file['path']}"] = f"{file['bytes']} bytes, {identity}" if identity else f"{file['bytes']} bytes"
    return found


def _side_by_side(columns: Sequence[Mapping[str, JsonValue]]) -> dict[str, tuple[JsonValue, ...]]:
    names = dict.fromkeys(name for column in columns for name in column)
    return {name: tuple(column.get(name) for column in columns) for name in names}


def _differing(rows: Mapping[str, tuple[JsonValue, ...]]) -> dict[str, tuple[JsonValue, ...]]:
    return {name: values for name, values in rows.items() if any(not _same(values[0], value) for value in values[1:])}


def _same(one: JsonValue, other: JsonValue) -> bool:
    """Equality as JSON has it: Python's True equals 1, JSON's does not."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _below(leaves: Mapping[str, JsonValue], pointer: str) -> dict[str, JsonValue]:
    """Leaves under a pointer, by the rest of their path: `eta`, or `tree/depth` for a nested one."""
    return {path[len(pointer) + 1 :]: value for path, value in leaves.items() if path.startswith(pointer + "/")}


def _is_below(path: str, pointer: str) -> bool:
    return path == pointer or path.startswith(pointer + "/")


def _leaves(value: JsonObject | Any, path: str = "") -> Iterator[tuple[str, JsonValue]]:
    """Every leaf with its JSON pointer (RFC 6901). Empty objects and lists are leaves."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list | tuple) and value:
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}/{index}")
    else:
        yield path, value
