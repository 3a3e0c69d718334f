"""What a warm interpreter imports ahead of its forks: the heavy libraries that this runtime holds.

Only what may be imported in a process that will be forked: none of these starts a thread that computes. Nothing
is called: after one query of Polars in the parent, every child hangs for ever.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
import sys
from pathlib import Path

LIBRARIES = (
    "numpy",
    "pandas",
    "pyarrow",
    "pyarrow.compute",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "polars",
    "scipy",
    "sklearn",
    "sklearn.compose",
    "sklearn.ensemble",
    "sklearn.impute",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.model_selection",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "xgboost",
    "lightgbm",
    "cloudpickle",
    "threadpoolctl",
    "obstore",
    "httpx2",
)


def preload() -> dict[str, str]:
    """Imports what there is; returns what could not be imported though it is installed, with the reason."""
    broken: dict[str, str] = {}
    for name in LIBRARIES:
        try:
            if importlib.util.find_spec(name) is not None:
                importlib.import_module(name)
        except Exception as error:  # a broken library is for the jobs that use it, not for those that do not
            if not (isinstance(error, ModuleNotFoundError) and name.startswith(f"{error.name}.")):
                broken[name] = f"{type(error).__name__}: {error}"
    # What is alive now stays: children neither walk over it nor copy its pages for the collector's sake.
    gc.collect()
    gc.freeze()
    return broken


def threads() -> int:
    """Threads of this process, those of native libraries too."""
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208


def stamp() -> tuple[int, ...]:
    """Changes when our own code or the packages on disk do: a warm interpreter runs the old ones then."""
    packages = [Path(entry) for entry in sys.path if entry.endswith("-packages")]
    files = [*packages, *Path(__file__).resolve().parents[2].rglob("*.py")]
    return tuple(sorted(file.stat().st_mtime_ns for file in files if file.exists()))
