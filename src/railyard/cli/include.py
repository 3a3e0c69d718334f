"""Adds a project's settings file to those that the server on this computer reads."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from railyard.cli import lazy

_INCLUDE = re.compile(r"^include[ \t]*=[ \t]*\[.*?\][ \t]*$", re.MULTILINE | re.DOTALL)


def include(home: Path, settings: Path) -> bool:
    """Adds a file to `include` of <home>/railyard.toml, made where it is missing. False if it is there already.

    Raises ConfigurationError where the file cannot be read or changed.
    """
    file = home / "railyard.toml"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        changed = with_include(text, str(settings.resolve()))
        if changed is None:
            return False
        file.write_text(changed, encoding="utf-8")
    except (OSError, ValueError) as error:
        raise lazy.errors.ConfigurationError(
            f"{file} cannot be changed: {error}",
            mend=f"add {json.dumps(str(settings.resolve()))} to its include by hand",
        ) from None
    return True


def with_include(text: str, path: str) -> str | None:
    """The settings text with one more included file, everything else untouched; None where it is included already.

    Raises ValueError for text that is no TOML, or whose include is written in a way that cannot be changed safely.
    """
    value = tomllib.loads(text)
    before = value.get("include", [])
    if path in before:
        return None
    line = f"include = {json.dumps([*before, path], ensure_ascii=False)}"
    changed = _INCLUDE.sub(lambda _: line, text, count=1) if "include" in value else f"{line}\n{text}"
    if tomllib.loads(changed) != {**value, "include": [*before, path]}:
        raise ValueError("its include is not a plain list")
    return changed
