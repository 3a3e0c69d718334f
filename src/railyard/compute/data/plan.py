"""What a reading would take, from footers and statistics alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from railyard.compute.data.prepare import prepare
from railyard.spec.attempt import DataAccess
from railyard.spec.request import TrainingRequest


@dataclass(frozen=True)
class SourcePlan:
    """A look at the sources."""

    columns: dict[str, str]
    """Every column of the sources with its type."""
    rows_total: int | None
    """Rows of the first source; None for SQL."""
    rows_estimated: int | None
    """Rows of the first source after its filters, from row-group statistics: an upper bound; None for SQL."""
    bytes_estimated: int | None
    """Compressed bytes that would be read from all sources; None where one is SQL."""
    files: int


def plan(request: TrainingRequest, access: DataAccess, derived: Collection[str] = ()) -> SourcePlan:
    """Checks columns, filters and holdout against the sources and estimates the reading; reads no row.

    Raises AttemptError: `data_not_found`, `schema_mismatch`, `storage_unavailable`, `timeout`.
    """
    prepared = prepare(request, access, scratch=None, derived=derived)
    first = prepared.tables[0]
    stored = [source.source != "sql" for source in request.data.features]
    columns = {name: str(dtype) for table in reversed(prepared.tables) for name, dtype in table.schema.items()}
    return SourcePlan(
        columns=columns,
        rows_total=first.rows if stored[0] else None,
        rows_estimated=first.estimate(prepared.conditions[0]) if stored[0] else None,
        bytes_estimated=prepared.bytes_read if all(stored) else None,
        files=sum(len(table.parts) for table in prepared.tables),
    )
