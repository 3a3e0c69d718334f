"""The data room over a real S3 server: the same rows as from a folder, few bytes over the wire, and faults by their name."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import polars as pl
import pytest

from railyard.compute.data import Reader, plan
from railyard.errors import AttemptError
from railyard.spec.attempt import DataAccess, S3Access
from railyard.spec.request import TrainingRequest
from railyard.validation import check_request


class S3Server(Protocol):
    """The fixture `s3` of conftest.py."""

    endpoint: str

    @property
    def access(self) -> S3Access: ...
    def bucket(self, name: str) -> str: ...
    def put(self, bucket: str, key: str, data: bytes) -> str: ...


def request_for(path: str, names: list[str], **data: Any) -> TrainingRequest:
    return check_request(
        {
            "model_description": "a test",
            "model_name": "test",
            "owner": "tests",
            "project": "tests",
            "trainer": "tests",
            "data": {"features": [{"names": names, "source": "s3", "path": path}], **data},
            "train": {"workflow_name": "Test"},
        }
    )


def parquet(frame: pl.DataFrame, row_group_size: int = 1000) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, row_group_size=row_group_size, compression="uncompressed")
    return buffer.getvalue()


@pytest.fixture
def lake(s3: S3Server, tmp_path: Path) -> Path:
    """Partitioned sales, in the bucket `lake` and, the same, in a folder."""
    s3.bucket("lake")
    for day in (1, 2, 3):
        for part in (0, 1):
            start = day * 10_000 + part * 5_000
            frame = pl.DataFrame({"n": range(start, start + 5_000), "who": [f"c{n % 97}" for n in range(5_000)]})
            key = f"sales/day=2018-01-0{day}/part {part}+%20.parquet"
            file = tmp_path / key
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(parquet(frame))
            s3.put("lake", key, file.read_bytes())
    s3.put("lake", "sales/_SUCCESS", b"")
    s3.put("lake", "sales-old/x.parquet", parquet(pl.DataFrame({"n": [-1], "who": ["old"]})))
    return tmp_path


HOLDOUT = {"sampling_function": "RANDOM", "random_sampling": {"fraction": 0.25, "seed": 3}}
FILTERS = [
    {"feature_name": "day", "predicate": "GtEq", "feature_value": {"string_val": "2018-01-02"}},
    {"feature_name": "n", "predicate": "Lt", "feature_value": {"int_val": 31_000}},
]


@pytest.mark.parametrize(
    "path", ["s3://lake/sales", "s3://lake/sales/", "s3://lake/sales/**/*.parquet", "s3://lake/sales/day=*"]
)
def test_a_bucket_gives_the_same_rows_and_the_same_split_as_a_folder(
    s3: S3Server, lake: Path, tmp_path: Path, path: str
) -> None:
    request = request_for(path, ["n", "who", "day"], filters=FILTERS, holdout_sampling=HOLDOUT)
    remote = Reader(request, DataAccess(s3=s3.access), scratch=tmp_path)
    local = Reader(request, DataAccess(buckets={"lake": str(lake)}), scratch=tmp_path)
    far, near = remote.fetch(), local.fetch()
    assert far.training.equals(near.training)
    assert far.holdout is not None
    assert far.holdout.equals(near.holdout)
    assert far.training.height + far.holdout.height == 11_000
    batches = pl.concat([pl.DataFrame(batch) for batch in remote.batches("training", 3_000)])
    assert batches.equals(far.training)
    ignored = {"fingerprint"}
    assert far.summary.model_dump(exclude=ignored) == near.summary.model_dump(exclude=ignored)
    assert [file.path for file in far.summary.fingerprint.files] == [
        file.path for file in near.summary.fingerprint.files
    ]
    assert all(file.etag and file.sha256 is None for file in far.summary.fingerprint.files)
    assert all(file.sha256 and file.etag is None for file in near.summary.fingerprint.files)


def test_one_object_is_a_source(s3: S3Server, lake: Path, tmp_path: Path) -> None:
    request = request_for("s3://lake/sales-old/x.parquet", ["n"])
    assert Reader(request, DataAccess(s3=s3.access), scratch=tmp_path).fetch().training["n"].to_list() == [-1]


def test_a_plan_reads_footers_alone(s3: S3Server, lake: Path) -> None:
    found = plan(request_for("s3://lake/sales", ["n"], filters=FILTERS), DataAccess(s3=s3.access))
    assert found.columns == {"n": "Int64", "who": "String", "day": "Date"}
    assert (found.rows_total, found.rows_estimated, found.files) == (30_000, 11_000, 6)


class Wire:
    """A proxy in front of a server that counts what comes back."""

    def __init__(self, endpoint: str) -> None:
        self.bytes = 0
        self._target = (urlsplit(endpoint).hostname or "", urlsplit(endpoint).port or 80)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            threading.Thread(target=self._pump, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, True), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        try:
            while data := source.recv(65536):
                self.bytes += len(data) if counted else 0
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for one in (source, sink):
                one.close()


@contextmanager
def counted(s3: S3Server) -> Iterator[tuple[Wire, DataAccess]]:
    """The signature covers the host, so the access names the proxy."""
    wire = Wire(s3.endpoint)
    try:
        yield wire, DataAccess(s3=s3.access.model_copy(update={"endpoint": wire.endpoint}))
    finally:
        wire.close()


def test_columns_and_row_groups_that_are_not_needed_are_not_transferred(s3: S3Server, tmp_path: Path) -> None:
    """Bytes on the wire follow `bytes_read`: eight columns of 20 row groups, 3.2 MB each group."""
    import numpy as np

    s3.bucket("wide")
    numbers = np.random.default_rng(0)
    frame = pl.DataFrame({"n": range(400_000)} | {name: numbers.random(400_000) for name in "abcdefg"})
    path = s3.put("wide", "wide.parquet", parquet(frame, 20_000))
    late = {"feature_name": "n", "predicate": "GtEq", "feature_value": {"int_val": 380_000}}
    seen: dict[str, tuple[int, int]] = {}
    for name, request in {
        "everything": request_for(path, ["n", *"abcdefg"]),
        "one column": request_for(path, ["a"]),
        "one group": request_for(path, ["n", *"abcdefg"], filters=[late]),
        "one column of one group": request_for(path, ["n", "a"], filters=[late]),
    }.items():
        with counted(s3) as (wire, access):
            summary = Reader(request, access, scratch=tmp_path).fetch().summary
            seen[name] = (summary.bytes_read, wire.bytes)
    total = seen["everything"][0]
    overhead = 400_000  # footers, read by us and by the engine, and headers
    for name, (stated, transferred) in seen.items():
        assert transferred < stated * 1.1 + overhead, (name, seen)
    assert seen["one column"][0] < total / 7
    assert seen["one group"][0] < total / 19
    assert seen["one column of one group"][0] < total / 60


def problem(read: Callable[[], object]) -> AttemptError:
    with pytest.raises(AttemptError) as caught:
        read()
    return caught.value


def test_what_is_not_in_the_bucket_is_told(s3: S3Server, lake: Path, tmp_path: Path) -> None:
    access = DataAccess(s3=s3.access)
    for path, words in {
        "s3://lake/nothing": "holds no Parquet file",
        "s3://lake/sale": "holds no Parquet file",
        "s3://lake/sales/*.csv": "holds no Parquet file",
        "s3://no-such-bucket/x.parquet": "has no bucket no-such-bucket",
    }.items():
        error = problem(Reader(request_for(path, ["n"]), access, scratch=tmp_path).schema)
        assert error.report.code == "data_not_found"
        assert words in error.message


def test_a_wrong_secret_is_told_without_telling_it(s3: S3Server, lake: Path, tmp_path: Path) -> None:
    access = DataAccess(s3=s3.access.model_copy(update={"secret_key": "a-wrong-secret"}))
    for path in ("s3://lake/sales", "s3://lake/sales-old/x.parquet"):
        error = problem(Reader(request_for(path, ["n"]), access, scratch=tmp_path).schema)
        assert error.report.code == "data_not_found"
        assert "refuses access" in error.message
        assert "a-wrong-secret" not in str(error) + error.report.model_dump_json()


def test_a_store_that_does_not_answer_is_unavailable(s3: S3Server, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    access = DataAccess(s3=s3.access.model_copy(update={"endpoint": f"http://127.0.0.1:{port}"}))
    error = problem(Reader(request_for("s3://lake/x.parquet", ["n"]), access, scratch=tmp_path).schema)
    assert error.report.code == "storage_unavailable"


def test_an_object_that_is_replaced_or_removed_while_open_is_told_as_changed(s3: S3Server, tmp_path: Path) -> None:
    bucket = s3.bucket("moving")
    path = s3.put(bucket, "x.parquet", parquet(pl.DataFrame({"n": range(100)})))
    reader = Reader(request_for(path, ["n"]), DataAccess(s3=s3.access), scratch=tmp_path)
    assert reader.fetch().training.height == 100
    s3.put(bucket, "x.parquet", parquet(pl.DataFrame({"n": range(1, 101)})))
    error = problem(reader.fetch)
    assert error.report.code == "data_changed"
    assert path in error.message


def test_a_broken_object_is_named(s3: S3Server, tmp_path: Path) -> None:
    bucket = s3.bucket("broken")
    whole = parquet(pl.DataFrame({"n": range(100)}))
    for name, data in {"half": whole[: len(whole) // 2], "empty": b"", "text": b"n\n1\n2\n3\n4\n5\n6\n7\n"}.items():
        path = s3.put(bucket, f"{name}.parquet", data)
        error = problem(Reader(request_for(path, ["n"]), DataAccess(s3=s3.access), scratch=tmp_path).schema)
        assert error.report.code == "data_not_found"
        assert f"{path} cannot be read as Parquet" in error.message
