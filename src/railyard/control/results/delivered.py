"""Whether what a manifest names was really delivered: every artifact is there, with that size and that sha256."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from railyard.artifacts.store import ArtifactStore
from railyard.errors import Invalid, NotFound
from railyard.spec.ids import split_attempt_name
from railyard.spec.records import FieldProblem
from railyard.spec.result import Artifact, ResultManifest

MODEL_MANIFEST = "model/manifest.json"
"""The artifact whose sha256 is the identity of the model."""

Delivered = Callable[[ResultManifest], tuple[Artifact, ...]]
"""The manifest's artifacts with their uri; raises Invalid where one is not there as stated. Blocks."""


@dataclass(frozen=True)
class StoredDelivery:
    """Looks in the artifact store, below `jobs/<job>/<number>/`, and reads every byte: a size alone proves nothing."""

    artifacts: ArtifactStore

    def __call__(self, manifest: ResultManifest) -> tuple[Artifact, ...]:
        """As `Delivered`."""
        job_id, number = split_attempt_name(manifest.attempt)
        prefix = f"jobs/{job_id}/{number}"
        problems: list[FieldProblem] = []
        found: list[Artifact] = []
        for index, artifact in enumerate(manifest.artifacts):
            key = f"{prefix}/{artifact.path}"
            got = self._measured(key)
            wanted = f"{artifact.bytes} bytes with sha256 {artifact.sha256}"
            if got != wanted:
                path = f"artifacts[{index}]"
                problems.append(FieldProblem(path=path, expected=f"{artifact.path}: {wanted}", got=got))
            found.append(artifact.model_copy(update={"uri": self.artifacts.uri(key)}))
        if problems:
            raise Invalid(
                "the result names artifacts that were not delivered",
                code="artifact_mismatch",
                fields=problems,
                mend="PUT every artifact before the commit",
            )
        return tuple(found)

    def _measured(self, key: str) -> str:
        size, digest = 0, hashlib.sha256()
        try:
            for chunk in self.artifacts.stream(key):
                size += len(chunk)
                digest.update(chunk)
        except NotFound:
            return "nothing"
        return f"{size} bytes with sha256 {digest.hexdigest()}"


def check_manifest(manifest: ResultManifest, name: str) -> None:
    """What can be told from the manifest alone. Raises Invalid."""
    problems = list(_problems(manifest, name))
    if problems:
        raise Invalid("the result manifest does not hold", code="invalid_manifest", fields=problems)


def _problems(manifest: ResultManifest, name: str) -> Iterable[FieldProblem]:
    if manifest.attempt != name:
        yield FieldProblem(path="attempt", expected=name, got=manifest.attempt)
    paths = [artifact.path for artifact in manifest.artifacts]
    for path in sorted({path for path in paths if paths.count(path) > 1}):
        yield FieldProblem(path="artifacts", expected="each path once", got=f"{path} more than once")
    identity = next((artifact for artifact in manifest.artifacts if artifact.path == MODEL_MANIFEST), None)
    if identity is None:
        yield FieldProblem(path="artifacts", expected=f"the artifact {MODEL_MANIFEST}", got="none of that path")
    elif identity.sha256 != manifest.model.manifest_sha256:
        yield FieldProblem(
            path="model.manifest_sha256",
            expected=f"the sha256 of {MODEL_MANIFEST}, {identity.sha256}",
            got=manifest.model.manifest_sha256,
        )
    data = manifest.data
    if data is not None and data.rows_train + data.rows_holdout != data.rows_after_filters:
        yield FieldProblem(
            path="data",
            expected=f"rows_train + rows_holdout = rows_after_filters = {data.rows_after_filters}",
            got=f"{data.rows_train} + {data.rows_holdout}",
        )
