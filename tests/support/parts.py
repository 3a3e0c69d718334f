"""Parts of the test bench: a missing one is a visible skip with the line that gets it, or a failure where it is required."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
"""Real data sets, beside the checkout; not part of the project."""


def missing(part: str, how: str) -> NoReturn:
    """Skips the test, or fails it under RAILYARD_TEST_REQUIRE=all (or a comma list that names the part)."""
    required = os.environ.get("RAILYARD_TEST_REQUIRE", "").split(",")
    text = f"{part} is not here. To get it: {how}"
    if "all" in required or part in required:
        pytest.fail(text, pytrace=False)
    pytest.skip(text)


def data(path: str) -> Path:
    """A file of the real data sets."""
    found = DATA / path
    if not found.exists():
        missing("data", f"place the data sets at {DATA}")
    return found


def versitygw() -> str:
    """The S3 server's program."""
    cache = Path(os.environ.get("RAILYARD_RIGS", "~/.cache/railyard/rigs")).expanduser()
    cached = sorted(cache.glob("versitygw-*"))
    found = shutil.which("versitygw") or (str(cached[-1]) if cached else None)
    return found or missing("s3", "make parts (builds versitygw from Go modules, once)")


def python(version: str) -> str:
    """An interpreter of another minor version, such as `3.12`."""
    pyenv = sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin/python"))
    found = shutil.which(f"python{version}")
    if pyenv:
        return str(pyenv[-1])
    return found or missing(f"python{version}", f"install Python {version} (pyenv install {version})")
