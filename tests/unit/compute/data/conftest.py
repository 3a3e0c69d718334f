"""Small sources and requests for the data room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from railyard.compute.data import Reader
from railyard.spec.attempt import DataAccess
from railyard.spec.request import TrainingRequest
from railyard.validation import check_request

Ask = Callable[..., TrainingRequest]


def request_for(
    path: Path | str,
    names: Sequence[str],
    *,
    filters: Sequence[dict[str, Any]] = (),
    holdout: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    **train: Any,
) -> TrainingRequest:
    """A request for one source; `holdout` is the holdout_sampling block, `data` overrides the data block."""
    source = "s3" if str(path).startswith("s3://") else "file"
    block: dict[str, Any] = {
        "features": [{"names": list(names), "source": source, "path": str(path)}],
        "filters": list(filters),
        **({"holdout_sampling": holdout} if holdout else {}),
        **(data or {}),
    }
    return check_request(
        {
            "model_description": "a test",
            "model_name": "test",
            "owner": "tests",
            "project": "tests",
            "trainer": "tests",
            "data": block,
            "train": {"workflow_name": "Test", **train},
        }
    )


@pytest.fixture(scope="session")
def ask() -> Ask:
    """`request_for`, by name."""
    return request_for


@pytest.fixture
def reader(tmp_path: Path) -> Callable[..., Reader]:
    """A reader of a request with access to nothing but local files, unless an access is given."""

    def make(request: TrainingRequest, access: DataAccess | None = None, derived: Sequence[str] = ()) -> Reader:
        return Reader(request, access or DataAccess(), scratch=tmp_path / "scratch", derived=derived)

    return make
