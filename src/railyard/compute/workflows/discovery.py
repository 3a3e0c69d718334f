"""Finds the workflows of a code project, and loads one. Right place = discovered: there is no registration."""

from __future__ import annotations

import inspect
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any

from railyard.compute.workflows.importing import import_file
from railyard.compute.workflows.isolation import call_isolated
from railyard.compute.workflows.layout import python_files, relative, workflows_folder
from railyard.compute.workflows.params import check_params_class, params_schema
from railyard.compute.workflows.sources import classes_in, classes_in_source
from railyard.compute.workflows.tracebacks import said, user_line, user_traceback
from railyard.compute.workflows.workflow import DATA_FORMATS, Workflow, params_class
from railyard.errors import AttemptError, ConfigurationError, nearest
from railyard.spec.records import WorkflowInfo

IMPORT_SECONDS = 60.0
"""Longest import of one file; libraries that are not warm yet are part of it."""


def discover(folder: Path, *, timeout: float = IMPORT_SECONDS) -> list[WorkflowInfo]:
    """Every workflow class below the project's workflows folder, by name, and every file that does not load.

    Each file is imported in a forked child of its own: one that raises, exits, crashes or hangs is listed with `broken`
    set to its traceback and harms no other. A name that stands in two files is broken in both. A file without a
    workflow is not listed.
    """
    project = Path(folder)
    found = [info for file in python_files(workflows_folder(project)) for info in _look(project, file, timeout)]
    return sorted(_refuse_twins(found), key=lambda info: (info.name, info.file))


def load(folder: Path, name: str) -> type[Workflow[Any]]:
    """The workflow class of that name; imports only the file that holds it.

    Raises AttemptError `user_code` where there is none, where two files hold it, or where its file does not load.
    """
    project = Path(folder)
    files = [
        file for file in python_files(workflows_folder(project)) if any(one.name == name for one in classes_in(file))
    ]
    if not files:
        raise _unknown(project, name)
    if len(files) > 1:
        raise AttemptError("user_code", _twins(name, [relative(project, file) for file in files]), step="prepare")
    inside = relative(project, files[0])
    try:
        module = import_file(project, files[0])
        workflow = getattr(module, name, None)
        _check(workflow, name, inside)
    except AttemptError:
        raise
    except (Exception, SystemExit) as error:
        raise AttemptError(
            "user_code",
            f"{inside} does not load: {said(error)} ({user_line(error, project) or 'outside the project'})",
            mend="correct the file; `railyard workflow list` shows every file that does not load",
            step="prepare",
            traceback=user_traceback(error, project),
        ) from error
    assert workflow is not None
    return workflow  # type: ignore[no-any-return]


def describe(workflow: type[Workflow[Any]], file: str) -> WorkflowInfo:
    """What lists show of a class. Raises ConfigurationError where its attributes or parameters do not hold."""
    if workflow.data_format not in DATA_FORMATS:
        raise ConfigurationError(
            f'{workflow.__name__}.data_format is "{workflow.data_format}"; expected one of {", ".join(DATA_FORMATS)}',
            mend=f'did you mean "{nearest(str(workflow.data_format), DATA_FORMATS) or "pandas"}"?',
        )
    for attribute in ("features", "derives"):
        if isinstance(getattr(workflow, attribute), str):
            raise ConfigurationError(f"{workflow.__name__}.{attribute} is one string; expected a tuple of column names")
    params = params_class(workflow)
    if params is not None:
        check_params_class(params)
    return WorkflowInfo(
        name=workflow.__name__,
        file=file,
        doc=inspect.cleandoc(workflow.__doc__ or ""),
        features=tuple(workflow.features) or None,
        label=workflow.label,
        data_format=workflow.data_format,
        param_schema=params_schema(params) if params is not None else None,
    )


def _look(project: Path, file: Path, timeout: float) -> list[WorkflowInfo]:
    ended = call_isolated(lambda: _look_inside(project, file), timeout)
    if ended.broken is not None:
        return [WorkflowInfo(name=file.stem, file=relative(project, file), broken=ended.broken)]
    return [WorkflowInfo.model_validate(one) for one in ended.value]


def _look_inside(project: Path, file: Path) -> list[dict[str, Any]]:
    """In the child: imports the file and describes its workflows."""
    inside = relative(project, file)
    try:
        classes = _workflows_in(import_file(project, file))
    except Exception as error:
        return [_broken(file.stem, inside, user_traceback(error, project))]
    return [_described(one, inside, project) for one in classes]


def _described(workflow: type[Workflow[Any]], file: str, project: Path) -> dict[str, Any]:
    try:
        return describe(workflow, file).model_dump(mode="json")
    except ConfigurationError as error:
        return _broken(workflow.__name__, file, str(error))
    except Exception as error:
        return _broken(workflow.__name__, file, user_traceback(error, project))


def _broken(name: str, file: str, why: str) -> dict[str, Any]:
    return WorkflowInfo(name=name, file=file, broken=why).model_dump(mode="json")


def _workflows_in(module: ModuleType) -> list[type[Workflow[Any]]]:
    """The concrete, public workflow classes that the module itself defines."""
    return [
        one
        for name, one in vars(module).items()
        if isinstance(one, type)
        and issubclass(one, Workflow)
        and one.__module__ == module.__name__
        and not name.startswith("_")
        and not inspect.isabstract(one)
    ]


def _refuse_twins(found: list[WorkflowInfo]) -> list[WorkflowInfo]:
    files: dict[str, list[str]] = defaultdict(list)
    for info in found:
        if info.broken is None:
            files[info.name].append(info.file)
    return [
        info.model_copy(update={"broken": _twins(info.name, files[info.name])})
        if info.broken is None and len(files[info.name]) > 1
        else info
        for info in found
    ]


def _twins(name: str, files: list[str]) -> str:
    return f"the workflow {name} stands in {' and in '.join(files)}; a name must stand in one file only"


def _unknown(project: Path, name: str) -> AttemptError:
    known = sorted(classes_in_source(project))
    guess = nearest(name, known)
    folder = relative(project, workflows_folder(project))
    return AttemptError(
        "user_code",
        f"{folder}/ holds no workflow {name}; it holds {', '.join(known) or 'none'}",
        mend=f"did you mean {guess}?"
        if guess
        else f"put a class {name}(railyard.Workflow) into a file below {folder}/",
        step="prepare",
        evidence={"workflows": known},
    )


def _check(workflow: Any, name: str, file: str) -> None:
    if not (isinstance(workflow, type) and issubclass(workflow, Workflow)):
        raise AttemptError(
            "user_code",
            f"{name} in {file} is no workflow: expected a subclass of railyard.Workflow, got {repr(workflow)[:80]}",
            step="prepare",
        )
    if inspect.isabstract(workflow):
        missing = ", ".join(sorted(workflow.__abstractmethods__))
        raise AttemptError(
            "user_code",
            f"{name} in {file} does not define {missing}",
            mend=f"add def {missing}(self, training, holdout)",
            step="prepare",
        )
    try:
        describe(workflow, file)
    except ConfigurationError as error:
        raise AttemptError("user_code", f"{file}: {error.message}", mend=error.mend, step="prepare") from None
