"""Makes the text that is sent from what a person hands over: a file with comments, a dict, a request."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from railyard.errors import Invalid, NotFound
from railyard.spec.jsonc import merge_patch, parse_strict, strip_comments
from railyard.spec.request import TrainingRequest

RequestSource = str | Path | Mapping[str, Any] | TrainingRequest
"""A path, a JSON text (with `//` comments), a dict, or a TrainingRequest."""


@dataclass(frozen=True)
class Draft:
    """A request about to be sent."""

    text: str
    """Strict JSON. As long as nothing is changed it is the author's own text: number spelling, order, line breaks."""
    value: dict[str, Any]
    folder: Path | None
    """Where the request's file lies; None for one that came from memory."""
    name: str = "the request"

    def amended(self, patch: Mapping[str, Any]) -> Draft:
        """Applies an RFC 7396 merge patch."""
        if not patch:
            return self
        value = merge_patch(self.value, dict(patch))
        return Draft(_json(value), value, self.folder, self.name)

    def replaced(self, pointer: tuple[str | int, ...], new: Any) -> Draft:
        """Sets one value whole, as it is: unlike `amended` it neither merges objects nor drops nulls."""
        value: dict[str, Any] = json.loads(_json(self.value))
        inner: Any = value
        for key, following in pairwise(pointer):
            if isinstance(key, str):
                inner.setdefault(key, {})
            inner = inner[key]
            whole, kind = (dict, "an object") if isinstance(following, str) else (list, "a list")
            if not isinstance(inner, whole):
                raise Invalid(f'{self.name}: "{key}" is not {kind}, so "{following}" cannot be set in it')
            if isinstance(following, int) and following >= len(inner):
                raise Invalid(f'{self.name}: "{key}" holds {len(inner)} entries, so there is no [{following}]')
        inner[pointer[-1]] = new
        return Draft(_json(value), value, self.folder, self.name)

    def with_code(self, code_id: str) -> Draft:
        """Names the code to run, leaving the rest of the text as it is."""
        if "code" in self.value:
            return self.amended({"code": code_id})
        separator = ", " if self.value else ""
        text = re.sub(r"\{", lambda found: f'{{"code": {json.dumps(code_id)}{separator}', self.text, count=1)
        return Draft(text, {"code": code_id, **self.value}, self.folder, self.name)


def load(source: RequestSource) -> Draft:
    """Reads a request. Raises NotFound for a path that is not there, Invalid for text that is not JSON."""
    if isinstance(source, TrainingRequest):
        value: dict[str, Any] = source.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return Draft(_json(value), value, None)
    if isinstance(source, Mapping):
        try:
            value = dict(source)
            return Draft(_json(value), value, None)
        except (TypeError, ValueError) as error:
            raise Invalid("the request cannot be written as JSON", code="invalid_json", why=str(error)) from None
    if isinstance(source, str) and source.lstrip().startswith(("{", "//")):
        return _parsed(source, None, "the request")
    path = Path(source).expanduser()
    try:
        return _parsed(path.read_text(encoding="utf-8-sig"), path.resolve().parent, str(path))
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        near = sorted(found.name for found in Path(path.parent).glob("*.json*"))[:5] if path.parent.is_dir() else []
        raise NotFound(
            f"there is no request file {path}",
            code="no_request_file",
            why=f"{path.parent} holds {', '.join(near)}" if near else f"{path.parent} holds no .json file",
            mend="railyard init demo writes a project with a request to start from",
        ) from None
    except UnicodeDecodeError as error:
        raise Invalid(f"{path} is not UTF-8 text", code="invalid_json", why=str(error)) from None
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}") from None


def _parsed(text: str, folder: Path | None, name: str) -> Draft:
    strict = strip_comments(text)
    try:
        value = parse_strict(strict)
    except (ValueError, RecursionError) as error:
        raise Invalid(
            f"{name} is not JSON",
            code="invalid_json",
            why=str(error),
            mend="// comments are welcome; trailing commas, single quotes and bare keys are not",
        ) from None
    if not isinstance(value, dict):
        raise Invalid(
            f"{name} is not a request", code="invalid_json", why=f"expected a JSON object, got a {type(value).__name__}"
        )
    return Draft(strict, value, folder, name)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2)
