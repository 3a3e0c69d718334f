"""A workflow's parameters: the request's free-form custom_params as a dataclass, or as a mapping."""

from __future__ import annotations

import copy
import dataclasses
import json
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from railyard.errors import ConfigurationError, Invalid, nearest
from railyard.spec.base import JsonObject
from railyard.spec.records import FieldProblem

ROOT = "train.custom_params"
_UNKNOWN_KEY = frozenset({"unexpected_keyword_argument", "extra_forbidden"})


def field(
    default: Any = dataclasses.MISSING,
    *,
    ge: float | None = None,
    le: float | None = None,
    gt: float | None = None,
    lt: float | None = None,
    choices: Sequence[Any] | None = None,
    description: str | None = None,
) -> Any:
    """One parameter of a parameter dataclass. Without a default it is required.

    A default that can change (a list, a dict, another dataclass) is copied for every instance.
    """
    bounds = {"ge": ge, "le": le, "gt": gt, "lt": lt, "description": description}
    metadata: dict[str, Any] = {name: value for name, value in bounds.items() if value is not None}
    if choices is not None:
        metadata["choices"] = tuple(choices)
        metadata["json_schema_extra"] = {"enum": list(choices)}
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=metadata)
    if getattr(type(default), "__hash__", None) is None:
        return dataclasses.field(default_factory=lambda: copy.deepcopy(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


class FreeParams(dict[str, Any]):
    """custom_params as they were sent: `params["depth"]` and `params.depth` alike."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in self:
            guess = nearest(name, self)
            hint = f"; did you mean {guess}?" if guess else f"; there are {', '.join(self) or 'none'}"
            raise AttributeError(f'custom_params has no "{name}"{hint}')
        value = self[name]
        return FreeParams(value) if isinstance(value, dict) else value


def check_params_class(kind: Any) -> None:
    """Refuses what cannot be a parameter class, or a dataclass that holds a type without a JSON form."""
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        raise ConfigurationError(
            f"the parameters of a workflow must be a dataclass; got {kind!r}",
            mend="put @dataclass above the class that stands in Workflow[…]",
        )
    params_schema(kind)


def params_schema(kind: type) -> JsonObject:
    """The JSON schema of a parameter dataclass. Raises ConfigurationError where a field's type has no JSON form."""
    try:
        schema = _adapter(kind).json_schema()
    except PydanticUserError as error:
        raise ConfigurationError(
            f"the parameter dataclass {kind.__name__} holds a type that JSON cannot carry",
            why=str(error).split("\n", 1)[0],
            mend="use bool, int, float, str, Literal, list, dict, X | None and other dataclasses",
        ) from None
    definitions = schema.pop("$defs", {})
    root = schema["prefixItems"][0]
    if "$ref" in root:
        root = definitions.pop(root["$ref"].rsplit("/", 1)[-1])
    return {**root, "$defs": definitions} if definitions else root


def convert(kind: type | None, given: Mapping[str, Any]) -> Any:
    """custom_params as an instance of the dataclass, or untouched as FreeParams where there is none.

    Types are strict: "6" is no integer and 6.5 is none either. Raises Invalid `invalid_params`, one FieldProblem for
    each bad key.
    """
    if kind is None:
        return FreeParams(copy.deepcopy(dict(given)))
    try:
        (params,) = _adapter(kind).validate_json(json.dumps([given], allow_nan=False))
    except ValidationError as error:
        raise _invalid([_problem(kind, found) for found in error.errors(include_url=False)]) from None
    wrong = list(_outside_choices(params, ROOT))
    if wrong:
        raise _invalid(wrong)
    return params


def _adapter(kind: type) -> TypeAdapter[tuple[Any]]:
    # The configuration reaches the dataclass only through a container: a stdlib dataclass takes none of its own.
    one: Any = tuple.__class_getitem__(kind)
    return TypeAdapter(one, config=ConfigDict(extra="forbid", strict=True))


def _invalid(problems: list[FieldProblem]) -> Invalid:
    count = "one parameter" if len(problems) == 1 else f"{len(problems)} parameters"
    return Invalid(
        f"train.custom_params does not fit the workflow in {count}",
        code="invalid_params",
        fields=problems,
        mend="correct the parameters named; the workflow's parameter dataclass lists every one",
    )


def _problem(kind: type, found: Any) -> FieldProblem:
    location = found["loc"][1:]
    path = ROOT + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    if found["type"] in _UNKNOWN_KEY:
        known = _names_at(kind, location[:-1])
        return FieldProblem(
            path=path,
            expected=f"one of {', '.join(known)}" if known else "no parameters",
            got=f'the unknown key "{location[-1]}"',
            nearest=nearest(str(location[-1]), known),
        )
    if found["type"] == "missing":
        return FieldProblem(path=path, expected="a value (the parameter has no default)", got="nothing")
    expected = str(found["msg"])
    for prefix in ("Value error, ", "Input should be ", "Input should "):
        expected = expected.removeprefix(prefix)
    got, close = found["input"], None
    if found["type"] == "literal_error" and isinstance(got, str):
        close = nearest(
            got, [part.strip("'") for part in str(found["ctx"]["expected"]).replace(" or ", ", ").split(", ")]
        )
    return FieldProblem(path=path, expected=expected, got=_shown(got), nearest=close)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 120 else text[:117] + "…"


def _names_at(kind: type, location: tuple[int | str, ...]) -> list[str]:
    """The parameter names that the dataclass knows at a place inside it."""
    hint: Any = kind
    for part in location:
        hint = _below(hint, part)
    found = next((one for one in _options(hint) if dataclasses.is_dataclass(one)), None)
    return [one.name for one in dataclasses.fields(found) if one.init] if found is not None else []


def _below(hint: Any, part: int | str) -> Any:
    """The type behind a key or an index of a type; None where it has none."""
    for option in _options(hint):
        if dataclasses.is_dataclass(option) and isinstance(option, type):
            return typing.get_type_hints(option).get(str(part))
        arguments = [one for one in typing.get_args(option) if one is not Ellipsis]
        if arguments:
            return arguments[-1] if isinstance(part, str) else arguments[0]
    return None


def _options(hint: Any) -> tuple[Any, ...]:
    """The members of a union; any other type alone."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.get_args(hint)
    return (hint,)


def _outside_choices(value: Any, path: str) -> typing.Iterator[FieldProblem]:
    """Every value that is none of its field's choices, at any depth."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for one in dataclasses.fields(value):
            inner = getattr(value, one.name)
            choices = one.metadata.get("choices")
            if choices is not None and inner not in choices:
                words = [choice for choice in choices if isinstance(choice, str)]
                yield FieldProblem(
                    path=f"{path}.{one.name}",
                    expected=f"one of {', '.join(map(str, choices))}",
                    got=_shown(inner),
                    nearest=nearest(inner, words) if isinstance(inner, str) else None,
                )
            yield from _outside_choices(inner, f"{path}.{one.name}")
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _outside_choices(inner, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _outside_choices(inner, f"{path}[{index}]")
