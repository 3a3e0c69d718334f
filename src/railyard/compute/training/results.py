"""What the attempt delivers, listed: files with their hashes, code and libraries."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterable
from pathlib import Path

from railyard.bundles.write import measure
from railyard.compute.training.libraries import loaded_libraries
from railyard.spec.attempt import CodeRef
from railyard.spec.result import Artifact, ArtifactKind, CodeInfo

_FORMATS = {
    ".parquet": "parquet",
    ".json": "json",
    ".ubj": "xgboost_ubj",
    ".txt": "text",
    ".pkl": "cloudpickle",
}


def list_artifacts(folder: Path) -> tuple[Artifact, ...]:
    """Every file below `folder` (an attempt's `artifacts`), by its path in the artifact store."""
    found = []
    for path in sorted(one for one in folder.rglob("*") if one.is_file() and not one.is_symlink()):
        inside = path.relative_to(folder).as_posix()
        measured = measure(folder, inside)
        kind, form = _kind(inside), _FORMATS.get(path.suffix, path.suffix.lstrip(".") or "binary")
        found.append(Artifact(kind=kind, path=inside, sha256=measured.sha256, bytes=measured.size, format=form))
    return tuple(found)


def keep_snapshots(snapshots: Iterable[Path], folder: Path) -> None:
    """Keeps the results of SQL sources beside the model, because the rows of a warehouse change."""
    for number, snapshot in enumerate(snapshots, 1):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(snapshot, folder / f"source-{number}.parquet")


def code_info(code: CodeRef) -> CodeInfo:
    """Which code ran, in which Python, beside which libraries."""
    return CodeInfo(
        code_id=code.code_id,
        project=code.project,
        git_sha=code.git_sha,
        dirty=code.dirty,
        runtime=code.runtime,
        python=platform.python_version(),
        library_versions=loaded_libraries(),
    )


def _kind(path: str) -> ArtifactKind:
    if path.startswith("model/"):
        return "model"
    if path.startswith("data/"):
        return "data"
    return "report" if path == "evaluation/report.json" else "eval"
