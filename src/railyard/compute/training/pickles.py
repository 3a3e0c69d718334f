"""Models without a native format: cloudpickle, which is flagged and only ever read in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from railyard.bundles.manifest import Loader
from railyard.compute.training.formats import Saved
from railyard.compute.workflows.tracebacks import said
from railyard.errors import AttemptError

PICKLE_FILE = "model.pkl"


def save_pickle(model: Any, folder: Path) -> Saved:
    """Writes model.pkl. Raises AttemptError `serialization` that names the attribute in the way.

    Classes of the project's own files are pickled by reference: whoever reads the file has loaded the workflow first
    (its module's name is the same wherever the project lies). Classes of `__main__` and of functions are pickled by
    value, as cloudpickle does.
    """
    import cloudpickle

    try:
        with (folder / PICKLE_FILE).open("wb") as file:
            cloudpickle.dump(model, file)
    except OSError:
        raise
    except Exception as error:
        culprits = _culprits(model)
        where = f" (in its {', '.join(culprits)})" if culprits else ""
        raise AttemptError(
            "serialization",
            f"the model, a {type(model).__module__}.{type(model).__name__}, cannot be pickled{where}: {said(error)}",
            mend="keep locks, connections and open files out of the model, or define serialize and deserialize",
        ) from error
    return Saved("cloudpickle", Loader(kind="pickle", file=PICKLE_FILE), ("worker",))


def load_pickle(folder: Path) -> Any:
    """The object of model.pkl; runs whatever code the file holds, so: only in a process of the attempt."""
    import cloudpickle

    with (folder / PICKLE_FILE).open("rb") as file:
        return cloudpickle.load(file)


def _culprits(model: Any) -> list[str]:
    import cloudpickle

    found = []
    for name, value in getattr(model, "__dict__", {}).items():
        try:
            cloudpickle.dumps(value)
        except Exception:
            found.append(name)
    return found
