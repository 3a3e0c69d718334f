"""Tracebacks as the user needs them: from the first line of their own code on."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import TracebackType

MOST_BYTES = 64 * 1024
_LIBRARIES = frozenset({"site-packages", "dist-packages"})
_OURS = Path(__file__).resolve().parents[2]


def user_traceback(error: BaseException, project: Path) -> str:
    """The traceback from the project's first frame on (the whole, where there is none), with causes; at most 64 KiB."""
    told = traceback.TracebackException.from_exception(error, capture_locals=False)
    ahead, seen = [told], set()
    while ahead:
        one = ahead.pop()
        seen.add(id(one))
        first = next((place for place, frame in enumerate(one.stack) if _inside(frame.filename, project)), 0)
        del one.stack[:first]
        ahead += [link for link in (one.__cause__, one.__context__) if link is not None and id(link) not in seen]
    try:
        text = "".join(told.format())
    except Exception as unprintable:  # a __str__ of the user's that raises
        text = f"{type(error).__name__} (it cannot be shown: {type(unprintable).__name__})\n"
    return shorten(text)


def user_line(error: BaseException, project: Path) -> str | None:
    """`workflows/fraud.py:12 in train`: the innermost frame inside the project; None where there is none."""
    if isinstance(error, SyntaxError) and error.filename and _inside(error.filename, project):
        return f"{_shown(error.filename, project)}:{error.lineno}"
    found = None
    frame: TracebackType | None = error.__traceback__
    while frame is not None:
        code = frame.tb_frame.f_code
        if _inside(code.co_filename, project):
            found = f"{_shown(code.co_filename, project)}:{frame.tb_lineno} in {code.co_name}"
        frame = frame.tb_next
    return found


def said(error: BaseException) -> str:
    """`ValueError: the message`, in at most 500 characters, whatever the exception's __str__ does."""
    try:
        text = str(error)
    except Exception:
        text = ""
    text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= 500 else text[:499] + "…"


def shorten(text: str) -> str:
    """At most 64 KiB of UTF-8, the middle left out: a traceback says most at its ends."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= MOST_BYTES:
        return text
    half = MOST_BYTES // 2 - 64
    gap = f"\n… {len(raw) - 2 * half} bytes left out …\n"
    return raw[:half].decode("utf-8", "ignore") + gap + raw[-half:].decode("utf-8", "ignore")


def _inside(filename: str, project: Path) -> bool:
    """Whether a file is the user's own: in the project, but neither of a virtual environment there nor of Railyard."""
    try:
        path = Path(filename).resolve()
    except (OSError, ValueError):
        return False
    foreign = not _LIBRARIES.isdisjoint(path.parts) or path.is_relative_to(_OURS)
    return not foreign and path.is_relative_to(project.resolve())


def _shown(filename: str, project: Path) -> str:
    return Path(filename).resolve().relative_to(project.resolve()).as_posix()
