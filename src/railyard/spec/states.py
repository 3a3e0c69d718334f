"""The words of a job's life: states and steps. The table of transitions stands in control/jobs/states.py."""

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
