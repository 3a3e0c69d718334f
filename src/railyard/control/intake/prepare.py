"""From a valid request to one that can be queued: rights, class, size, sources, code, parameters; all pinned."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from railyard.control.intake import checks
from railyard.control.intake.access import data_access
from railyard.control.intake.caller import Caller
from railyard.control.intake.compute import Size, find_class, size
from railyard.control.intake.known import Known
from railyard.errors import Refused, Unavailable
from railyard.settings import Settings
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


SETTLE_SECONDS = 5.0
"""Code that was sent a moment ago is nearly ready: waiting so long for it lets its parameters be checked."""


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
    _check_access(request, settings)
    code = await _resolve(known, request.code or pin, request.train.workflow_name)
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


async def _resolve(known: Known, code: str | None, workflow_name: str) -> CodeVersion:
    found = await known.code.resolve(code, workflow_name)
    if found.state != "building":
        return found
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(known.code.settled(found.code_id), SETTLE_SECONDS)
    return await known.code.resolve(found.code_id, workflow_name)


def _check_access(request: TrainingRequest, settings: Settings) -> None:
    """What the attempt will be given can be put together now; a reference that leads nowhere would keep it waiting."""
    try:
        data_access(request, settings)
    except Unavailable as error:
        raise Refused(error.message, code=error.code, mend=error.mend) from None
