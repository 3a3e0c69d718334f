"""Gives a process its share of threads, by the environment and, where a library has read that already, directly."""

from __future__ import annotations

import importlib.util
import math
import os
import sys

_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMEXPR_MAX_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
)


def threads_for(cpu: float) -> int:
    """Threads for so many cores: a part of a core still needs one."""
    return max(1, math.ceil(cpu))


def share_threads(cpu: float) -> None:
    """Sets the share of this process and of what it starts. Called after the fork and before the first computation."""
    count = threads_for(cpu)
    os.environ.update(dict.fromkeys(_VARIABLES, str(count)))
    if importlib.util.find_spec("threadpoolctl"):
        import threadpoolctl

        threadpoolctl.threadpool_limits(count)
    arrow = sys.modules.get("pyarrow")
    if arrow is not None:  # loaded later, it reads OMP_NUM_THREADS
        arrow.set_cpu_count(count)
