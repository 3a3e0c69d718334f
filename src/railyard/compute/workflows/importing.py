"""Imports one workflow file of a code project."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

from railyard.compute.workflows.layout import relative, workflows_folder


def import_file(project: Path, file: Path) -> ModuleType:
    """The module of a file; a second call answers the same module. Raises whatever the file raises.

    The project's root comes first on sys.path, so that its helper modules are found, and its workflows folder last,
    where it can hide no library. The module's name holds a hash of the path inside the project: two files of one name
    never meet, and a pickle that names the module finds it again in another process, wherever the project lies there.
    """
    _open_path(project)
    inside = relative(project, file)
    digest = hashlib.sha256(inside.encode()).hexdigest()[:8]
    name = f"railyard_workflow_{digest}_{re.sub(r'[^A-Za-z0-9_]', '_', file.stem)}"
    loaded = sys.modules.get(name)
    if loaded is not None and Path(str(loaded.__file__)).resolve() == file.resolve():
        return loaded
    spec = importlib.util.spec_from_file_location(name, file.resolve())
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} cannot be imported as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _open_path(project: Path) -> None:
    root, last = str(project.resolve()), str(workflows_folder(project))
    if root not in sys.path:
        sys.path.insert(0, root)
    if last not in sys.path:
        sys.path.append(last)
