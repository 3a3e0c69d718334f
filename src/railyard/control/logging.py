"""Logs of the server: JSON lines in a file for machines, one escaped line each on the terminal. No secret passes."""

from __future__ import annotations

import json
import logging
import logging.handlers
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Id of the HTTP request that is being answered, so that every line written meanwhile names it."""

ACCESS = "railyard.access"
"""The logger of one line for each HTTP request: in the file, not on the terminal."""

_SECRETS = (
    (re.compile(r"\br([ya])_[A-Za-z0-9_-]{16,}"), r"r\1_***"),
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+@"), r"\1***@"),
    (re.compile(r"(?i)((?:password|secret|token|code)=)[^\s&'\"]+"), r"\1***"),
)
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}
_FILE_BYTES = 20 * 2**20
_FILES = 5


def start(folder: Path, level: str, *, terminal: bool = True) -> None:
    """Sends all logging to `<folder>/server.log` and, unless told otherwise, to standard error."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = logging.handlers.RotatingFileHandler(
        folder / "server.log", maxBytes=_FILE_BYTES, backupCount=_FILES, encoding="utf-8"
    )
    file.setFormatter(JsonLines())
    handlers: list[logging.Handler] = [file]
    if terminal:
        people = logging.StreamHandler(sys.stderr)
        people.setFormatter(PlainLines())
        people.addFilter(lambda record: record.levelno > logging.INFO or record.name != ACCESS)
        handlers.append(people)
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level.upper())
    # These say at `info` what our own lines say better.
    for noisy in ("uvicorn.error", "uvicorn.access", "alembic", "asyncio", "sqlalchemy.engine"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def mask(text: str) -> str:
    """The text without tokens and passwords."""
    for pattern, shown in _SECRETS:
        text = pattern.sub(shown, text)
    return text


def escape(text: str) -> str:
    """The text on one line: line ends and terminal sequences become visible escapes."""
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


class JsonLines(logging.Formatter):
    """`{"at", "level", "logger", "message", "request_id", "exception", …extra}` on one line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": mask(record.getMessage()),
        }
        if request_id.get():
            line["request_id"] = request_id.get()
        for key, value in record.__dict__.items():
            if key not in _STANDARD:
                line[key] = value if isinstance(value, int | float | bool | type(None)) else mask(str(value))
        if record.exc_info:
            line["exception"] = mask(self.formatException(record.exc_info))
        return json.dumps(line)


class PlainLines(logging.Formatter):
    """`09:12:03 warning message`; a traceback follows only where the level is debug."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()} "
        text = f"{at} {level}{escape(mask(record.getMessage()))}"
        if not record.exc_info:
            return text
        if logging.getLogger().level <= logging.DEBUG:
            return f"{text}\n{mask(self.formatException(record.exc_info))}"
        return f"{text}: {escape(mask(repr(record.exc_info[1])))}"
