"""From a valid request to one that can be queued: rights, class, size, sources, code, parameters; all pinned."""

from __future__ import annotations

from dataclasses import dataclass

from railyard.control.intake import checks
from railyard.control.intake.access import check_connections
from railyard.control.intake.caller import Caller
from railyard.control.intake.compute import Size, find_class, size
from railyard.control.intake.known import Known
from railyard.spec.records import CodeVersion
from railyard.spec.request import Resources, TrainingRequest


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A request with everything that is known about it."""

    request: TrainingRequest
    """Resolved: class, resources and code are filled in."""
    size: Size
    code: CodeVersion

    @property
    def experimental(self) -> bool:
        """Never to be promoted unattended: the data can change under it, or the code was never merged and deployed."""
        return self.request.experimental or self.code.dirty or self.code.deployed_at is None


async def prepare(known: Known, caller: Caller, request: TrainingRequest, *, pin: str | None = None) -> Prepared:
    """Refuses what can be refused before anything is started. `pin` names the code where the request names none.

    Raises Forbidden, and Invalid with the fields that do not hold.
    """
    caller.require_owner(request.owner)
    caller.require_trainer(request.trainer)
    settings = known.settings()
    checks.check_workers(request, known.executor.name)
    compute_class = find_class(request.compute_resource, known.classes)
    found = size(compute_class, request.resources, known.capacity)
    checks.check_currency(request, compute_class)
    check_connections(request, settings)
    code = await known.code.resolve(request.code or pin, request.train.workflow_name)
    checks.check_parameters(request, code)
    resolved = request.model_copy(
        update={
            "compute_resource": compute_class.name,
            "resources": Resources(
                cpu=found.cpu, memory=request.resources.memory or compute_class.memory, gpu=found.gpu
            ),
            "code": code.code_id,
        }
    )
    return Prepared(request=resolved, size=found, code=code)
