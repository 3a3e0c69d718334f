"""What every type of the vocabulary shares: frozen, and closed to unknown keys."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, PlainSerializer


class Spec(BaseModel):
    """A type that a person or a program writes: unknown keys are refused, so that a typo is never silently ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Record(BaseModel):
    """A type that the server writes: readers ignore unknown keys, so that an older client can read a newer server."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


# A ValueError of a validator says what was expected, and after "; got " what came, where the value alone does not
# show it: validation.py words the refusal from that.
def _printable(value: str) -> str:
    if not value.strip():
        raise ValueError("text that is not blank")
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise ValueError("text without control characters")
    return value


Text = Annotated[str, Field(max_length=2000), AfterValidator(_printable)]
"""A sentence for people: 1 to 2,000 characters, no control characters."""

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
Name = Annotated[str, Field(max_length=128, pattern=NAME)]
"""A name that becomes part of ids and paths: letters, digits, `.`, `_`, `-`; starts with a letter or digit."""

Label = Annotated[str, Field(max_length=256), AfterValidator(_printable)]
"""A team, a person, a column: 1 to 256 characters, no control characters."""

JsonObject = dict[str, JsonValue]
Timestamp = datetime
"""An aware UTC datetime."""


class Money(Record):
    """An amount of money; the amount travels as a string so that no reader rounds it."""

    amount: Annotated[Decimal, PlainSerializer(str, return_type=str)] | None = None
    """None where there is no price: never 0 for unknown."""
    currency: str | None = None
    basis: Literal["metered", "estimated", "unpriced"] = "unpriced"
    core_hours: float = 0.0
    formula: str = ""
    """How the amount came about, in words and numbers."""


def dump(value: BaseModel) -> dict[str, Any]:
    """The JSON form of a type, as plain Python values."""
    return value.model_dump(mode="json", by_alias=True)
