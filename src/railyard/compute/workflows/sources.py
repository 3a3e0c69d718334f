"""Which workflow classes stand in which file, read from the syntax tree: nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from railyard.compute.workflows.layout import python_files, workflows_folder


@dataclass(frozen=True)
class ClassSource:
    """One class statement at the top of a file."""

    name: str
    file: Path
    bases: tuple[str, ...]
    """Last names of the bases, aliases undone: `railyard.Workflow[P]` is `Workflow`."""
    has_train: bool


def classes_in_source(project: Path) -> dict[str, Path]:
    """Workflow class to file. A name that stands in several files is listed with the first."""
    found: dict[str, Path] = {}
    for one in workflow_classes(project):
        found.setdefault(one.name, one.file)
    return found


def workflow_classes(project: Path) -> list[ClassSource]:
    """Every class below the workflows folder that descends from Workflow and has, or inherits, a `train`."""
    classes = [one for file in python_files(workflows_folder(project)) for one in classes_in(file)]
    by_name = {one.name: one for one in classes}
    return [
        one for one in classes if not one.name.startswith("_") and _is_workflow(one, by_name) and _trains(one, by_name)
    ]


def classes_in(file: Path) -> Iterator[ClassSource]:
    """The classes of one file; nothing where it cannot be parsed."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError, OSError):
        return
    aliases = {
        name.asname: name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for name in node.names
        if name.asname
    }
    for node in _statements(tree.body):
        if isinstance(node, ast.ClassDef):
            bases = tuple(aliases.get(base, base) for base in map(_last_name, node.bases) if base)
            yield ClassSource(node.name, file, bases, any(_defines_train(statement) for statement in node.body))


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.With):
            yield from _statements(node.body)
            yield from _statements(getattr(node, "orelse", []))
        elif isinstance(node, ast.Try):
            for part in (node.body, *(handler.body for handler in node.handlers), node.orelse, node.finalbody):
                yield from _statements(part)


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):
        return _last_name(node.value)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _defines_train(node: ast.stmt) -> bool:
    if isinstance(node, ast.FunctionDef):
        return node.name == "train" and not any(_last_name(one) == "abstractmethod" for one in node.decorator_list)
    return isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id == "train" for one in node.targets)


def _ancestors(one: ClassSource, by_name: dict[str, ClassSource]) -> Iterator[ClassSource]:
    seen, ahead = {one.name}, list(one.bases)
    while ahead:
        name = ahead.pop()
        if name in by_name and name not in seen:
            seen.add(name)
            yield by_name[name]
            ahead.extend(by_name[name].bases)


def _is_workflow(one: ClassSource, by_name: dict[str, ClassSource]) -> bool:
    return any("Workflow" in each.bases for each in (one, *_ancestors(one, by_name)))


def _trains(one: ClassSource, by_name: dict[str, ClassSource]) -> bool:
    return any(each.has_train for each in (one, *_ancestors(one, by_name)))
