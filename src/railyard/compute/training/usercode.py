"""The line between the user's code and ours: what a hook raises leaves as `user_code`, with the user's own frames."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from railyard.compute.workflows.tracebacks import said, user_line, user_traceback
from railyard.errors import AttemptError


@contextmanager
def user_code(hook: str, project: Path, *, only_with_user_frames: bool = False) -> Iterator[None]:
    """Turns what a hook raises into AttemptError `user_code` that names file and line of the user's innermost frame.

    SystemExit counts: a hook must not end the worker. MemoryError is `out_of_memory`. AttemptErrors pass, and so does a
    full disk, which is nobody's code. With `only_with_user_frames`, an exception that never went through the user's
    code passes as it is.
    """
    try:
        yield
    except AttemptError:
        raise
    except MemoryError as error:
        raise AttemptError(
            "out_of_memory",
            f"{hook} asked for more memory than there is: {said(error)}",
            mend="ask for more memory in `resources`, or for a class with more",
            traceback=user_traceback(error, project),
        ) from error
    except (Exception, SystemExit) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        line = user_line(error, project)
        if line is None and only_with_user_frames:
            raise
        what = "called sys.exit" if isinstance(error, SystemExit) else "raised"
        raise AttemptError(
            "user_code",
            f"{hook} {what}: {said(error)}" + (f" ({line})" if line else ""),
            mend=f"correct {line.split(' ')[0]}" if line else "",
            traceback=user_traceback(error, project),
        ) from error


def wrong_return(hook: str, expected: str, got: object) -> AttemptError:
    """What to raise where a hook handed back something else than it should."""
    shown = "None" if got is None else f"a {type(got).__module__}.{type(got).__qualname__}".replace(" builtins.", " ")
    mend = f"does {hook} end with a return statement?" if got is None else f"return {expected} from {hook}"
    return AttemptError("user_code", f"{hook} must return {expected}; it returned {shown}", mend=mend)
