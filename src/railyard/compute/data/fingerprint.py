"""The identity of the data a model saw: files, schema and rows, never a sum of floats, which no engine repeats."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from railyard.compute.data.table import Part, Table
from railyard.spec.base import dump
from railyard.spec.result import Fingerprint, SourceFile


def source_files(tables: Sequence[Table]) -> tuple[SourceFile, ...]:
    """Every file with its digest: the etag of an object, the sha256 of a local file (streamed, read once)."""
    return tuple(_source_file(part) for table in tables for part in table.parts)


def _source_file(part: Part) -> SourceFile:
    file = part.file
    sha256 = None
    if not file.remote:
        with Path(file.path).open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return SourceFile(path=file.uri, bytes=file.size, etag=file.etag, sha256=sha256, rows=part.footer.rows)


def fingerprint(files: Sequence[SourceFile], schema: pl.Schema, rows: int) -> Fingerprint:
    """sha256 over the canonical JSON (sorted keys, no blanks) of version, files, columns with their types in order, and
    rows.
    """
    types = {name: str(dtype) for name, dtype in schema.items()}
    body = {"version": 1, "files": [dump(file) for file in files], "schema": list(types.items()), "rows": rows}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Fingerprint.model_validate({"sha256": digest, "files": tuple(files), "schema": types, "rows": rows})
