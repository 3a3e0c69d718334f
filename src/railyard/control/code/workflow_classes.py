"""Which workflow classes a bundle holds, read from the syntax tree: at once, and without running a line of it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from railyard.spec.records import WorkflowInfo

BASE = "Workflow"


@dataclass(frozen=True, kw_only=True)
class _Class:
    name: str
    file: str
    bases: tuple[str, ...]
    doc: str


def read_classes(files: Mapping[str, bytes], workflows: str) -> list[WorkflowInfo]:
    """The public classes below the workflows folder that descend from a `…Workflow`, also through other files, by name.

    A file there that does not parse is listed under its own name with `broken` set. What an import would tell is not
    known yet: features, label and the parameters' schema are empty until the code was loaded in its runtime.
    """
    inside = [path for path in files if path.endswith(".py") and _listed(path, workflows)]
    classes: dict[str, list[_Class]] = {}
    found: list[WorkflowInfo] = []
    for path in sorted(path for path in files if path.endswith(".py")):
        try:
            classes[path] = list(_classes_in(ast.parse(files[path], filename=path), path))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            if path in inside:
                found.append(WorkflowInfo(name=_stem(path), file=path, broken=_unparsed(path, error)))
    by_name: dict[str, _Class] = {}
    for one in (one for path in sorted(classes) for one in classes[path]):
        by_name.setdefault(one.name, one)
    seen: set[str] = {info.name for info in found}
    for one in (one for path in inside for one in classes.get(path, ())):
        if one.name not in seen and not one.name.startswith("_") and _descends(one, by_name):
            seen.add(one.name)
            found.append(WorkflowInfo(name=one.name, file=one.file, doc=one.doc))
    return sorted(found, key=lambda info: info.name)


def _listed(path: str, workflows: str) -> bool:
    """Discovery looks into every Python file below the folder whose path holds no name with `.` or `_` in front."""
    inside = path.removeprefix(f"{workflows}/")
    return inside != path and not any(part.startswith((".", "_")) for part in inside.split("/"))


def _classes_in(tree: ast.Module, file: str) -> Iterator[_Class]:
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
            doc = inspect.cleandoc(ast.get_docstring(node, clean=False) or "")
            yield _Class(name=node.name, file=file, bases=bases, doc=doc)


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, also those under `if`, `with` and `try`."""
    for node in body:
        yield node
        for part in ("body", "orelse", "finalbody"):
            if isinstance(node, ast.If | ast.With | ast.Try):
                yield from _statements(getattr(node, part, []))
        if isinstance(node, ast.Try):
            for handler in node.handlers:
                yield from _statements(handler.body)


def _last_name(node: ast.expr) -> str:
    """`Workflow` of `railyard.Workflow[Params]`."""
    if isinstance(node, ast.Subscript):
        return _last_name(node.value)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _descends(one: _Class, by_name: Mapping[str, _Class]) -> bool:
    seen: set[str] = {one.name}
    ahead = list(one.bases)
    while ahead:
        base = ahead.pop()
        if base in seen:
            continue
        seen.add(base)
        if base in by_name:
            ahead += by_name[base].bases
        if base.endswith(BASE):
            return True
    return False


def _stem(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".py")


def _unparsed(path: str, error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        line = f", line {error.lineno}" if error.lineno else ""
        return f'File "{path}"{line}\n{type(error).__name__}: {error.msg}'
    return f'File "{path}"\n{type(error).__name__}: {error}'
