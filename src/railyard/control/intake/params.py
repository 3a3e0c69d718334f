"""Holds `train.custom_params` against the JSON schema of a workflow's parameter dataclass, before anything is started.

The keywords that pydantic writes for dataclasses are known; any other says nothing here and is left to the runner,
which has the class itself.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from railyard.errors import Invalid, nearest
from railyard.spec.records import FieldProblem

ROOT = "train.custom_params"
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}

_BOUNDS: tuple[tuple[str, str, Callable[[float, float], bool]], ...] = (
    ("minimum", "at least", operator.ge),
    ("maximum", "at most", operator.le),
    ("exclusiveMinimum", "more than", operator.gt),
    ("exclusiveMaximum", "less than", operator.lt),
)


def check_params(schema: Mapping[str, Any] | None, params: Mapping[str, Any]) -> None:
    """Raises Invalid `invalid_params` with every value that does not fit. Without a schema everything fits."""
    if schema is None:
        return
    problems = list(_problems(schema, dict(params), ROOT, schema.get("$defs", {})))
    if not problems:
        return
    count = "one parameter" if len(problems) == 1 else f"{len(problems)} parameters"
    raise Invalid(
        f"train.custom_params does not fit the workflow in {count}",
        code="invalid_params",
        fields=problems,
        mend="correct the parameters named; railyard workflow show NAME prints the schema",
    )


def _problems(
    schema: Mapping[str, Any], value: Any, path: str, definitions: Mapping[str, Any]
) -> Iterator[FieldProblem]:
    if "$ref" in schema:
        schema = {**definitions.get(schema["$ref"].rsplit("/", 1)[-1], {}), **schema}
    if "anyOf" in schema:
        choices = [list(_problems(choice, value, path, definitions)) for choice in schema["anyOf"]]
        if all(choices):
            # The choice that fits best tells most: `X | None` with a bad X should speak of X.
            yield from min(choices, key=lambda found: (len(found), found[0].expected == "null"))
        return
    if not _has_type(schema.get("type"), value):
        yield FieldProblem(path=path, expected=str(schema["type"]), got=_shown(value))
        return
    yield from _outside(schema, value, path)
    if isinstance(value, dict):
        yield from _object(schema, value, path, definitions)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index, item in enumerate(value):
            yield from _problems(schema["items"], item, f"{path}[{index}]", definitions)


def _has_type(kind: Any, value: Any) -> bool:
    if not isinstance(kind, str) or kind not in _TYPES:
        return True
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


def _outside(schema: Mapping[str, Any], value: Any, path: str) -> Iterator[FieldProblem]:
    """A value that is none of the choices or beyond a bound."""
    choices = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if choices is not None and value not in choices:
        words = [choice for choice in choices if isinstance(choice, str)]
        close = nearest(value, words) if isinstance(value, str) else None
        yield FieldProblem(
            path=path, expected=f"one of {', '.join(map(str, choices))}", got=_shown(value), nearest=close
        )
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    for keyword, relation, holds in _BOUNDS:
        bound = schema.get(keyword)
        if isinstance(bound, int | float) and not holds(value, bound):
            yield FieldProblem(path=path, expected=f"{relation} {bound:g}", got=_shown(value), nearest=f"{bound:g}")


def _object(
    schema: Mapping[str, Any], value: Mapping[str, Any], path: str, definitions: Mapping[str, Any]
) -> Iterator[FieldProblem]:
    known: Mapping[str, Any] = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    for name in schema.get("required", ()):
        if name not in value:
            yield FieldProblem(path=f"{path}.{name}", expected="a value (the parameter has no default)", got="nothing")
    for name, item in value.items():
        if name in known:
            yield from _problems(known[name], item, f"{path}.{name}", definitions)
        elif others is False:
            expected = f"one of {', '.join(known)}" if known else "no parameters"
            got = f'the unknown key "{name}"'
            yield FieldProblem(path=f"{path}.{name}", expected=expected, got=got, nearest=nearest(name, known))
        elif isinstance(others, dict):
            yield from _problems(others, item, f"{path}.{name}", definitions)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else text[:117] + "…"
