"""What a workflow class fills in where a request is silent."""

from __future__ import annotations

from typing import Any

from railyard.compute.workflows.workflow import Workflow
from railyard.spec.request import TrainingRequest


def resolve_request(kind: type[Workflow[Any]], request: TrainingRequest) -> TrainingRequest:
    """The request with the class's own features and label where it names none: what the reader must be given."""
    train = request.train
    features = train.classifier_features or tuple(kind.features)
    label = train.label if train.label is not None else kind.label
    return request.model_copy(
        update={"train": train.model_copy(update={"classifier_features": features, "label": label})}
    )
