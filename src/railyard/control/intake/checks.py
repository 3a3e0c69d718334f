"""What can be said of a request before anything is started. Pure."""

from __future__ import annotations

from railyard.control.intake.params import check_params
from railyard.errors import Invalid
from railyard.spec.records import CodeVersion, ComputeClass, FieldProblem
from railyard.spec.request import TrainingRequest


def check_workers(request: TrainingRequest, executor: str) -> None:
    """Raises Invalid where the request wants several processes: no executor here starts more than one."""
    if request.workers > 1:
        raise Invalid(
            f"workers is {request.workers}, but the {executor} executor starts one process for each training",
            code="workers_unsupported",
            fields=[FieldProblem(path="workers", expected="1", got=str(request.workers), nearest="1")],
            mend="leave workers out; resources.cpu gives one process more threads",
        )


def check_currency(request: TrainingRequest, compute_class: ComputeClass) -> None:
    """Raises Invalid where the class is priced in another currency than the cap: it could never stop anything."""
    cap, price = request.max_cost, compute_class.price
    if cap is None or price is None or cap.currency == price.currency:
        return
    raise Invalid(
        f"max_cost is in {cap.currency}, and the class {compute_class.name} is priced in {price.currency}",
        code="other_currency",
        fields=[
            FieldProblem(path="max_cost.currency", expected=price.currency, got=cap.currency, nearest=price.currency)
        ],
        mend=f"state max_cost in {price.currency}",
    )


def check_parameters(request: TrainingRequest, code: CodeVersion) -> None:
    """Raises Invalid where the parameters do not fit the workflow's own, as far as these are known by now."""
    info = next((info for info in code.workflows if info.name == request.train.workflow_name), None)
    check_params(info.param_schema if info else None, request.train.custom_params)


def warnings(request: TrainingRequest, code: CodeVersion) -> tuple[str, ...]:
    """What is allowed but worth a word before it runs."""
    found = []
    if request.experimental:
        found.append("a SQL source can change under the model: the job is marked experimental")
    if code.dirty:
        found.append("the code has changes that are not committed: the job is marked experimental")
    if request.data.holdout_sampling is None or request.data.holdout_sampling.sampling_function == "NONE":
        found.append("no holdout: metrics will be of the training rows only")
    return tuple(found)
