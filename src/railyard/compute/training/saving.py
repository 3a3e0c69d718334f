"""The save step: the model becomes a bundle, and a second process must be able to make the same scores from it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from railyard.bundles.manifest import Column, Loader, Manifest, Output, Producer
from railyard.bundles.read import Bundle
from railyard.bundles.write import write
from railyard.compute.training.evaluating import Assessment
from railyard.compute.training.formats import NotNative, Saved, load_native, save_native
from railyard.compute.training.libraries import framework_of
from railyard.compute.training.pickles import load_pickle, save_pickle
from railyard.compute.training.prepare import Prepared
from railyard.compute.training.scoring import first_difference, one_thread, score_frame
from railyard.compute.training.usercode import user_code
from railyard.compute.workflows.frames import columns_of, dtypes_of, has_nulls
from railyard.compute.workflows.tracebacks import said
from railyard.compute.workflows.workflow import overrides
from railyard.errors import AttemptError, Invalid
from railyard.spec.attempt import AttemptSpec
from railyard.spec.result import ModelInfo


@dataclass(frozen=True)
class Sample:
    """The rows that a second process scores again."""

    frame: Any
    scores: NDArray[Any] | None
    """By one thread; None where the model does not score."""


def take_sample(prepared: Prepared, model: Any, frame: Any) -> Sample:
    """Scores the rows to be checked again, with one thread: that is what the second process will compare with."""
    with one_thread():
        return Sample(frame, score_frame(prepared, model, frame))


def save_model(prepared: Prepared, model: Any, sample: Sample, folder: Path) -> tuple[Saved, list[str]]:
    """Writes the model into the empty `folder`: by the workflow's own serialize, else natively, else by cloudpickle.

    A native file that does not reproduce the sample's scores is dropped for a pickle, with a warning.
    Raises AttemptError `serialization` or `user_code`.
    """
    folder.mkdir(parents=True)
    workflow = prepared.workflow
    if overrides(type(workflow), "serialize"):
        with user_code("serialize", prepared.project):
            workflow.serialize(model, folder)
        return Saved("custom", Loader(kind="custom"), ("worker",)), []
    try:
        saved = save_native(model, folder)
        _refuse_unfaithful(prepared, saved, sample, folder)
        return saved, []
    except OSError:
        raise
    except NotNative as error:
        warnings = [] if "no native format" in str(error) else [f"the model is saved as a pickle, because {error}"]
    except Exception as error:
        warnings = [f"the model is saved as a pickle, because its native file failed: {said(error)}"]
    shutil.rmtree(folder)
    folder.mkdir()
    return save_pickle(model, folder), warnings


def load_model(prepared: Prepared, manifest: Manifest, folder: Path) -> Any:
    """The model of a bundle as `train` returned it. Raises whatever loading raises."""
    if manifest.format == "custom":
        with user_code("deserialize", prepared.project):
            return prepared.workflow.deserialize(folder)
    if manifest.format == "cloudpickle":
        return load_pickle(folder)
    return load_native(manifest.format, manifest.loader, folder)


def write_bundle(
    prepared: Prepared,
    model: Any,
    saved: Saved,
    sample: Sample,
    assessment: Assessment,
    spec: AttemptSpec,
    folder: Path,
) -> Bundle:
    """Puts the manifest beside the model's files.

    Raises AttemptError `serialization` where the files make no bundle.
    """
    framework, version = framework_of(model)
    try:
        return write(
            folder,
            name=spec.request.model_name,
            format=saved.format,
            task=assessment.task,
            label=prepared.workflow.label,
            inputs=_inputs(prepared, sample.frame),
            outputs=_outputs(assessment),
            producer=Producer(
                framework=framework,
                version=version,
                job=spec.job_id,
                attempt=spec.number,
                workflow=spec.request.train.workflow_name,
                code_id=spec.code.code_id,
                git_sha=spec.code.git_sha,
            ),
            loader=saved.loader,
            engine_preference=saved.engines,
            objective=saved.objective,
        )
    except Invalid as error:
        raise AttemptError("serialization", error.message, mend=error.mend) from None


def model_info(bundle: Bundle, prepared: Prepared) -> ModelInfo:
    """What the job's result says about the model."""
    manifest = bundle.manifest
    return ModelInfo(
        manifest_sha256=manifest.sha256,
        format=manifest.format,
        pickled=manifest.format == "cloudpickle",
        bytes=bundle.bytes,
        framework=manifest.producer.framework,
        framework_version=manifest.producer.version,
        features=tuple(prepared.workflow.features),
        label=manifest.label,
    )


def _refuse_unfaithful(prepared: Prepared, saved: Saved, sample: Sample, folder: Path) -> None:
    if sample.scores is None:
        return
    with one_thread():
        again = score_frame(prepared, load_native(saved.format, saved.loader, folder), sample.frame)
    if again is None or first_difference(sample.scores, again) is not None:
        raise NotNative("its native file does not reproduce its scores bit for bit")


def _inputs(prepared: Prepared, frame: Any) -> tuple[Column, ...]:
    there = columns_of(frame)
    names = [name for name in prepared.workflow.features if name in there]
    if not prepared.workflow.features:
        names = [name for name in there if name != prepared.workflow.label]
    dtypes = dtypes_of(frame)
    return tuple(Column(name=name, dtype=dtypes[name], nullable=has_nulls(frame, name)) for name in names)


def _outputs(assessment: Assessment) -> tuple[Output, ...]:
    if assessment.score_dtype is None:
        return ()
    if assessment.score_columns == 1:
        return (Output(name="score", dtype=assessment.score_dtype),)
    return (
        Output(name="score", dtype=f"{assessment.score_dtype}[{assessment.score_columns}]", classes=assessment.classes),
    )
