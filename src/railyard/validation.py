"""Turns text or parsed JSON into a TrainingRequest, or says for every bad field: path, expected, got, nearest."""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from railyard.errors import Invalid, nearest
from railyard.spec.jsonc import parse_strict
from railyard.spec.records import FieldProblem
from railyard.spec.request import TrainingRequest


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
    null = _null_character(value)
    if null is not None:
        raise _invalid([FieldProblem(path=null, expected="text without U+0000", got="U+0000")])
    try:
        return TrainingRequest.model_validate(value)
    except (ValidationError, RecursionError) as error:
        if isinstance(error, RecursionError):
            raise _invalid(
                [FieldProblem(path="$", expected="JSON of reasonable depth", got="deeper nesting")]
            ) from None
        raise _invalid([_field(problem) for problem in error.errors(include_url=False)]) from None


def _invalid(fields: list[FieldProblem]) -> Invalid:
    count = "one field" if len(fields) == 1 else f"{len(fields)} fields"
    return Invalid(
        f"the request does not hold in {count}",
        code="invalid_request",
        fields=fields,
        mend="correct the fields named; docs/reference/request.md has every one",
    )


def _null_character(value: Any, path: str = "$") -> str | None:
    """Postgres refuses U+0000 in text and in JSON, so it is refused before anything is stored."""
    if isinstance(value, str):
        return path if "\x00" in value else None
    if isinstance(value, Mapping):
        for key, item in value.items():
            if "\x00" in key:
                return path
            found = _null_character(item, f"{path}.{key}" if path != "$" else key)
            if found is not None:
                return found
    elif isinstance(value, Sequence):
        for index, item in enumerate(value):
            found = _null_character(item, f"{path}[{index}]")
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


def _field(problem: Any) -> FieldProblem:
    kind, location, context = problem["type"], problem["loc"], problem.get("ctx", {})
    path = _path(location)
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
        got = problem["input"]
        close = nearest(got, choices) if isinstance(got, str) else None
        return FieldProblem(path=path, expected=f"one of {', '.join(choices)}", got=_shown(got), nearest=close)
    expected = str(problem["msg"])
    for prefix in ("Value error, ", "Input should be ", "Input should "):
        expected = expected.removeprefix(prefix)
    return FieldProblem(path=path, expected=expected, got=_shown(problem["input"]))


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
