"""Where a request's data names lead: no more than it names, passwords from references."""

from __future__ import annotations

from typing import Any

import pytest
from job_bench import request_value

from railyard.control.intake.access import data_access
from railyard.errors import Invalid, Unavailable
from railyard.settings import S3Settings, Settings
from railyard.spec.request import TrainingRequest

SETTINGS = Settings(
    buckets={"data": "/data"},
    connections={"warehouse": "postgresql://reader:${DW_PASSWORD}@db/dw", "other": "duckdb:///x.duckdb"},
    s3=S3Settings(endpoint="http://s3", access_key="${S3_KEY}"),
)


def _request(*names: str) -> TrainingRequest:
    sources: list[dict[str, Any]] = [
        {"names": ["id", name], "source": "sql", "connection": name, "query": "select 1"} for name in names
    ] or [{"names": ["a"], "source": "s3", "path": "s3://data/x"}]
    join = {"join_on": ["id"]} if len(sources) > 1 else {}
    return TrainingRequest.model_validate(request_value(data={"features": sources, **join}))


def test_only_the_connections_that_are_named_go_out_with_their_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DW_PASSWORD", "hunter2")
    monkeypatch.setenv("S3_KEY", "key")
    access = data_access(_request("warehouse"), SETTINGS)
    assert access.connections == {"warehouse": "postgresql://reader:hunter2@db/dw"}
    assert (access.s3.access_key, access.s3.endpoint, access.buckets) == ("key", "http://s3", {"data": "/data"})
    assert data_access(_request(), SETTINGS).connections == {}


def test_relative_paths_begin_where_the_server_was_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("S3_KEY", "key")
    monkeypatch.chdir(folder := tmp_path_factory.mktemp("started"))
    assert data_access(_request(), SETTINGS).folder == str(folder)


def test_an_unknown_connection_is_refused_with_the_nearest() -> None:
    with pytest.raises(Invalid) as caught:
        data_access(_request("other", "warehouze"), SETTINGS)
    assert [(problem.path, problem.nearest) for problem in caught.value.fields] == [
        ("data.features[1].connection", "warehouse")
    ]


def test_a_reference_that_leads_nowhere_is_the_servers_fault_not_the_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_KEY", "key")
    monkeypatch.delenv("DW_PASSWORD", raising=False)
    with pytest.raises(Unavailable, match="DW_PASSWORD"):
        data_access(_request("warehouse"), SETTINGS)
