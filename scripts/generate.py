"""Writes the generated parts of the documentation from the code; with --check only says whether they are up to date."""

from __future__ import annotations

import argparse
import ast
import json
import sys
import types
import typing
from pathlib import Path

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from railyard.control.api import help_pages
from railyard.control.api.app import openapi_document
from railyard.control.jobs import states
from railyard.spec import request

ROOT = Path(__file__).resolve().parents[1]


def between(text: str, name: str, body: str) -> str:
    """The text with what stands between the two markers replaced."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    head, rest = text.split(begin)
    return f"{head}{begin}\n{body.strip()}\n{end}{rest.split(end)[1]}"


def kind(annotation: object) -> str:
    """A type in a reader's words."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return kind(arguments[0])
    if origin is typing.Literal:
        return " ".join(f"`{word}`" for word in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(kind(argument) for argument in arguments if argument is not type(None))
    if origin is tuple:
        return f"list of {kind(arguments[0])}"
    if origin is dict:
        return "object"
    if isinstance(annotation, type):
        if issubclass(annotation, BaseModel):
            return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
        return {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}.get(
            annotation.__name__, annotation.__name__
        )
    return "JSON"


def default(field: typing.Any) -> str:
    if field.is_required():
        return "**required**"
    if field.default_factory is not None:
        return "empty"
    if field.default in (None, (), PydanticUndefined) or isinstance(field.default, BaseModel):
        return "–"
    return f"`{json.dumps(field.default)}`"


def request_reference() -> str:
    """One table per type of the request, with the comments that stand at the fields."""
    tree = ast.parse((ROOT / "src/railyard/spec/request.py").read_text())
    parts = []
    for node in tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        kind_of = getattr(request, node.name)
        notes: dict[str, str] = {}
        for this, following in zip(node.body, node.body[1:], strict=False):
            if (
                isinstance(this, ast.AnnAssign)
                and isinstance(this.target, ast.Name)
                and isinstance(following, ast.Expr)
                and isinstance(following.value, ast.Constant)
            ):
                notes[this.target.id] = " ".join(str(following.value.value).split())
        rows = [
            f"| `{name}` | {kind(field.rebuild_annotation())} | {default(field)} | {notes.get(name, '')} |"
            for name, field in kind_of.model_fields.items()
        ]
        head = ["| Field | Type | Default | Meaning |", "|---|---|---|---|"]
        parts.append("\n".join([f"### {node.name}", "", ast.get_docstring(node) or "", "", *head, *rows, ""]))
    parts.sort(key=lambda part: not part.startswith("### TrainingRequest"))
    return "\n".join(parts)


def error_reference() -> str:
    """Every error code with its page."""
    return "\n".join(f"### {code}\n\n{page.text}\n" for code, page in sorted(help_pages.PAGES.items()))


def documents() -> dict[Path, str]:
    """Every generated file with the content it should have."""
    architecture, reference = ROOT / "ARCHITECTURE.md", ROOT / "docs" / "reference"
    requests, errors = reference / "request.md", reference / "errors.md"
    life = f"```mermaid\n{states.diagram()}```\n\n{states.table()}"
    return {
        architecture: between(architecture.read_text(), "states", life),
        requests: between(requests.read_text(), "fields", request_reference()),
        errors: between(errors.read_text(), "codes", error_reference()),
        reference / "openapi.json": json.dumps(openapi_document(), indent=1, ensure_ascii=False) + "\n",
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = [path for path, text in documents().items() if not path.exists() or path.read_text() != text]
    if check:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is out of date: make docs", file=sys.stderr)
        print("stale" if stale else "ok")
        return 1 if stale else 0
    for path in stale:
        path.write_text(documents()[path])
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
