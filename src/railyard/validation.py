"""Turns text or parsed JSON into a TrainingRequest, or says for every bad field: path, expected, got, nearest."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from railyard.errors import Invalid, nearest
from railyard.spec.base import NAME
from railyard.spec.jsonc import parse_strict
from railyard.spec.records import FieldProblem
from railyard.spec.request import CLASS, CURRENCY, DATE, TrainingRequest

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_MOST_STEPS = 16
"""Longest path that is shown; only custom_params nest deeper."""
PATTERNS = {
    NAME: "1 to 128 letters, digits, `.`, `_` or `-`, the first a letter or digit",
    DATE: "a date YYYY-MM-DD or an ISO 8601 timestamp",
    CLASS: "the name of a Python class",
    CURRENCY: "a currency of three capital letters such as USD",
}


def parse_request(text: str) -> TrainingRequest:
    """Strict JSON text to a request. Raises Invalid."""
    try:
        value = parse_strict(text)
    except (ValueError, RecursionError) as error:
        raise Invalid(
            "the request is not JSON",
            code="invalid_json",
            why=str(error),
            mend="send strict JSON; the CLI and the SDK strip // comments, the server does not",
        ) from None
    return check_request(value)


def check_request(value: Any) -> TrainingRequest:
    """A parsed JSON value to a request. Raises Invalid."""
    try:
        bad = _unstorable(value)
        if bad is not None:
            raise _invalid([bad])
        return TrainingRequest.model_validate(value)
    except RecursionError:
        raise _invalid([FieldProblem(path="$", expected="JSON of reasonable depth", got="deeper nesting")]) from None
    except ValidationError as error:
        raise _invalid(_fields(error.errors(include_url=False), value)) from None


def _invalid(fields: list[FieldProblem]) -> Invalid:
    count = "one field" if len(fields) == 1 else f"{len(fields)} fields"
    return Invalid(
        f"the request does not hold in {count}",
        code="invalid_request",
        fields=fields,
        mend="correct the fields named; docs/reference/request.md has every one",
    )


def _unstorable(value: Any, path: str = "$") -> FieldProblem | None:
    """Text that no UTF-8 and no Postgres can hold, wherever it stands: refused before anything is stored or shown."""
    if isinstance(value, str):
        if "\x00" in value:
            return FieldProblem(path=path, expected="text without U+0000", got="U+0000")
        lone = _LONE_SURROGATE.search(value)
        if lone:
            return FieldProblem(path=path, expected="text in Unicode", got=f"a lone surrogate, U+{ord(lone[0]):04X}")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            inside = f"{path}.{key}" if path != "$" else str(key)
            found = _unstorable(key, path) or _unstorable(item, inside)
            if found is not None:
                return found
    elif isinstance(value, Sequence):
        for index, item in enumerate(value):
            found = _unstorable(item, f"{path}[{index}]")
            if found is not None:
                return found
    return None


def _path(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "$"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 120 else text[:117] + "…"


def _fields(problems: Sequence[Any], request: Any) -> list[FieldProblem]:
    """One FieldProblem for each place of the request that does not hold."""
    found: dict[str, FieldProblem] = {}
    for problem in problems:
        if problem["type"] == "too_short" and any(
            other is not problem and other["loc"][: len(problem["loc"])] == problem["loc"] for other in problems
        ):
            continue  # pydantic counts the items that hold; those that do not are told by themselves
        field = _field(problem, _path(_within(problem["loc"], request)))
        before = found.get(field.path)
        # Every member of a union refuses for itself: one value, one problem.
        found[field.path] = (
            before.model_copy(update={"expected": f"{before.expected} or {field.expected}"}) if before else field
        )
    return list(found.values())


def _within(location: tuple[int | str, ...], value: Any) -> tuple[int | str, ...]:
    """The steps of a location that lead through the request; the others name members of a union."""
    steps: list[int | str] = []
    for place, part in enumerate(location):
        inside = isinstance(value, list | tuple) and isinstance(part, int) and part < len(value)
        if inside or (isinstance(value, Mapping) and part in value):
            value = value[part]
        elif not (isinstance(value, Mapping) and place == len(location) - 1):
            continue  # a key that is missing is the last one
        steps.append(part)
    return tuple(steps[:_MOST_STEPS])


def _field(problem: Any, path: str) -> FieldProblem:
    kind, location, context, given = problem["type"], problem["loc"], problem.get("ctx", {}), problem["input"]
    if kind == "missing":
        return FieldProblem(path=path, expected="a value (the field is required)", got="nothing")
    if kind == "extra_forbidden":
        known = _fields_at(location[:-1])
        key = str(location[-1])
        return FieldProblem(
            path=path,
            expected=f"one of {', '.join(known)}",
            got=f"the unknown key {_shown(key)}",
            nearest=nearest(key, known),
        )
    if kind == "literal_error":
        choices = [part.strip("'") for part in str(context["expected"]).replace(" or ", ", ").split(", ")]
        close = nearest(given, choices) if isinstance(given, str) else None
        return FieldProblem(path=path, expected=f"one of {', '.join(choices)}", got=_shown(given), nearest=close)
    if kind == "string_pattern_mismatch":
        return FieldProblem(path=path, expected=PATTERNS[context["pattern"]], got=_shown(given))
    if kind == "too_short":
        return FieldProblem(path=path, expected=f"at least {context['min_length']} item", got=_shown(given))
    if kind in ("dict_type", "model_type"):
        return FieldProblem(path=path, expected="a JSON object", got=_shown(given))
    if kind == "tuple_type":
        return FieldProblem(path=path, expected="a list", got=_shown(given))
    if kind == "recursion_loop":
        return FieldProblem(path=path, expected="JSON of reasonable depth", got="deeper nesting")
    words = str(problem["msg"])
    for prefix in ("Value error, ", "Input should be ", "Input should ", "expected "):
        words = words.removeprefix(prefix)
    expected, said, got = words.partition("; got ")
    return FieldProblem(path=path, expected=expected, got=got if said else _shown(given))


def _fields_at(location: tuple[int | str, ...]) -> list[str]:
    """The keys that the type at a location of the request knows."""
    kind: Any = TrainingRequest
    for part in location:
        if isinstance(part, int):
            kind = next((argument for argument in typing.get_args(kind) if argument is not Ellipsis), None)
        elif isinstance(kind, type) and issubclass(kind, BaseModel) and part in kind.model_fields:
            kind = kind.model_fields[part].annotation
        else:
            continue
        options = [option for option in typing.get_args(kind) if option is not type(None)]
        if type(None) in typing.get_args(kind) and len(options) == 1:
            kind = options[0]
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []
