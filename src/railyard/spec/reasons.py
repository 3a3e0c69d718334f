"""Why a job waits or ended, and which retry budget an end draws on.

A new reason also gets a help page: control/api/help_pages.py.
"""

from __future__ import annotations

from typing import Literal, get_args

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
