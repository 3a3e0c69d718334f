"""The words of a job's life: states, steps and reasons. The table of transitions stands in control/jobs/states.py."""

from __future__ import annotations

from typing import Literal, get_args

State = Literal["queued", "starting", "running", "succeeded", "failed", "cancelled"]
"""Where a job is.

queued     accepted, not started. `schedule` moves it to starting; `submit` cancels it; schedule or code fail it.
starting   an attempt is claimed and being started. The runner's first report moves it on.
running    the runner has reported. The runner's commit, reconcile or rescue move it on.
succeeded  the result manifest was accepted. Final.
failed     no retry budget is left; `reason` says why. Final.
cancelled  a cancel was asked for and nothing runs any more. Final.
"""

STATES: tuple[State, ...] = get_args(State)
FINAL_STATES: frozenset[State] = frozenset({"succeeded", "failed", "cancelled"})
ACTIVE_STATES: frozenset[State] = frozenset({"starting", "running"})

StepName = Literal["prepare", "fetch", "train", "evaluate", "save"]
STEPS: tuple[StepName, ...] = get_args(StepName)

EndReason = Literal[
    "user_code",
    "out_of_memory",
    "timeout",
    "data_not_found",
    "data_changed",
    "schema_mismatch",
    "bad_label",
    "empty_train",
    "empty_holdout",
    "serialization",
    "runtime_build",
    "image_pull",
    "disk_full",
    "storage_unavailable",
    "preempted",
    "node_lost",
    "lost",
    "unschedulable",
    "queue_timeout",
    "budget",
    "cancelled_by_user",
    "internal",
]
"""Why a job or an attempt ended."""

WaitReason = Literal[
    "waiting_capacity",
    "waiting_fair_share",
    "waiting_quota",
    "waiting_retry",
    "waiting_runtime",
    "waiting_scale_up",
    "image_pulling",
]
"""Why a queued or starting job waits."""

END_REASONS: tuple[EndReason, ...] = get_args(EndReason)
WAIT_REASONS: tuple[WaitReason, ...] = get_args(WaitReason)

RetryBudget = Literal["user_code", "out_of_memory", "infrastructure", "preempted", "never"]

RETRY_BUDGETS: dict[EndReason, RetryBudget] = {
    "user_code": "user_code",
    "timeout": "user_code",
    "out_of_memory": "out_of_memory",
    "preempted": "preempted",
    "disk_full": "infrastructure",
    "storage_unavailable": "infrastructure",
    "image_pull": "infrastructure",
    "node_lost": "infrastructure",
    "lost": "infrastructure",
    "internal": "infrastructure",
    "data_not_found": "never",
    "data_changed": "never",
    "schema_mismatch": "never",
    "bad_label": "never",
    "empty_train": "never",
    "empty_holdout": "never",
    "serialization": "never",
    "runtime_build": "never",
    "unschedulable": "never",
    "queue_timeout": "never",
    "budget": "never",
    "cancelled_by_user": "never",
}
"""Which budget of the request's `retry` an end draws on."""
