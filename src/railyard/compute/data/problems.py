"""The errors of this room, worded in one place: what was expected, what came, where, what to do next."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from railyard.errors import AttemptError, nearest

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
SHOWN = 60
"""Most column names that a sentence lists; the evidence holds all of them."""


def listed(names: Iterable[str]) -> str:
    """Names for a sentence, cut where it would become unreadable."""
    found = list(names)
    return ", ".join(found[:SHOWN]) + (f", … ({len(found)} in all)" if len(found) > SHOWN else "")


def missing_columns(missing: Sequence[str], available: Sequence[str], where: str, why: str = "") -> AttemptError:
    """`schema_mismatch`: columns that the source does not hold, with those that it does and the nearest names."""
    guesses = {name: nearest(name, available) for name in missing}
    hints = [f"{name} → {guess}" for name, guess in guesses.items() if guess]
    plural = "columns" if len(missing) > 1 else "column"
    return AttemptError(
        "schema_mismatch",
        f"{where} has no {plural} {listed(missing)}{why}; available: {listed(available)}",
        mend=f"did you mean {listed(hints)}?"
        if hints
        else "name columns of the source, or list a column that preprocess adds in derives",
        evidence={"missing": list(missing), "available": list(available), "nearest": guesses},
    )


def wrong_type(column: str, dtype: Any, expected: str, got: str) -> AttemptError:
    """`schema_mismatch`: a value or an operation that the column's type does not know."""
    return AttemptError(
        "schema_mismatch",
        f"column {column} is {dtype}: expected {expected}, got {got}",
        mend="change the value in the request, or the column's type in the source",
        evidence={"column": column, "type": str(dtype)},
    )


def mismatch(message: str, mend: str, **evidence: Any) -> AttemptError:
    """`schema_mismatch` of any other kind."""
    return AttemptError("schema_mismatch", message, mend=mend, evidence=evidence)


def not_found(message: str, mend: str, **evidence: Any) -> AttemptError:
    """`data_not_found`: nothing there, or nothing that can be read."""
    return AttemptError("data_not_found", message, mend=mend, evidence=evidence)


def unreadable(uri: str, words: object) -> AttemptError:
    """`data_not_found`: the file is there, but it is no whole Parquet file; the engine's own words say why."""
    return not_found(
        f"{uri} cannot be read as Parquet: {first_lines(words)}",
        "write the file again (it may be truncated), or leave it out of the path",
        file=uri,
    )


def storage(uri: str, words: object) -> AttemptError:
    """`storage_unavailable`: the store did not answer; safe to try again."""
    return AttemptError(
        "storage_unavailable",
        f"{uri} could not be reached: {first_lines(words)}",
        mend="check the endpoint and the network of the machine that trains; the attempt is retried by itself",
        evidence={"file": uri},
    )


def changed(uri: str, was: str, now: str) -> AttemptError:
    """`data_changed`: a file is not what it was when its footer was read."""
    return AttemptError(
        "data_changed",
        f"{uri} changed while it was being read: it was {was}, now it is {now}",
        mend="write new data beside the old instead of over it, then submit again",
        evidence={"file": uri, "was": was, "now": now},
    )


def first_lines(words: object, most: int = 500) -> str:
    """An engine's message on one line."""
    text = " ".join(str(words).split())
    return text if len(text) <= most else text[: most - 1] + "…"


@contextmanager
def disk_errors(folder: object) -> Iterator[None]:
    """Turns a full disk into `disk_full`."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise AttemptError(
                "disk_full", f"the disk under {folder} is full", mend="free space there, or select fewer rows"
            ) from None
        raise
