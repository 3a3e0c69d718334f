"""A new job from the request of an earlier one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from railyard.control.intake.caller import Caller
from railyard.control.intake.known import Known
from railyard.control.intake.submit import enqueue
from railyard.control.jobs import read
from railyard.spec.jsonc import merge_patch, parse_strict
from railyard.spec.records import Job
from railyard.validation import parse_request


async def rerun(
    known: Known,
    caller: Caller,
    job_id: str,
    overrides: Mapping[str, Any],
    *,
    latest: bool = False,
    idempotency_key: str | None = None,
) -> Job:
    """Queues the request again, changed by a JSON merge patch.

    Whoever runs it again is its trainer; an admin leaves the name as it is. The code stays what the job was pinned to,
    unless `latest` asks for the newest deployed one or the overrides name another.
    Raises Invalid for a patched request that does not hold, Forbidden, NotFound, Ambiguous.
    """
    caller.require("submit")
    earlier = await read.get(known.database, job_id)
    if not caller.may("admin"):
        overrides = {"trainer": caller.user, **overrides}
    text = patched(await read.request_text(known.database, earlier.job_id), overrides, latest=latest)
    return await enqueue(
        known,
        caller,
        text,
        parse_request(text),
        idempotency_key=idempotency_key,
        pin=None if latest or "code" in overrides else earlier.code,
        rerun_of=earlier.job_id,
    )


def patched(text: str, overrides: Mapping[str, Any], *, latest: bool) -> str:
    """The request's text with the overrides merged in; the very same text where nothing changes."""
    value = parse_strict(text)
    merged = merge_patch(value, dict(overrides))
    if latest and "code" not in overrides:
        merged.pop("code", None)
    return text if merged == value and _same_kinds(merged, value) else json.dumps(merged, ensure_ascii=False, indent=2)


def _same_kinds(one: Any, other: Any) -> bool:
    """Python holds 1, 1.0 and True for equal; a request does not."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
