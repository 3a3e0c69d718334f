"""Log lines: one each, escaped, without secrets."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from railyard.control import logging as logs

TOKEN = "ry_Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4"


def _record(message: str, *arguments: object, level: int = logging.INFO, **extra: object) -> logging.LogRecord:
    record = logging.makeLogRecord({"name": "test", "levelno": level, "levelname": logging.getLevelName(level)})
    record.msg, record.args = message, arguments
    record.__dict__.update(extra)
    return record


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"token {TOKEN} used", TOKEN),
        (f"attempt {TOKEN.replace('ry_', 'ra_')}", TOKEN.replace("ry_", "ra_")),
        ("postgresql://railyard:hunter2@db/railyard", "hunter2"),
        ("GET /login?code=Zm9vYmFy", "Zm9vYmFy"),
        ("connect password=hunter2 host=db", "hunter2"),
    ],
)
@pytest.mark.parametrize("formatter", [logs.JsonLines(), logs.PlainLines()])
def test_no_secret_reaches_a_line(formatter: logging.Formatter, text: str, secret: str) -> None:
    assert secret not in formatter.format(_record("%s", text))
    assert "***" in formatter.format(_record("%s", text))


def test_secrets_in_extra_fields_are_masked() -> None:
    assert TOKEN not in logs.JsonLines().format(_record("hello", header=f"Bearer {TOKEN}"))


@pytest.mark.parametrize("text", ["two\nlines", "\x1b[31mred", "\x07bell", "right\u202eleft", "\u2028", "\r"])
@pytest.mark.parametrize("formatter", [logs.JsonLines(), logs.PlainLines()])
def test_a_users_text_stays_on_its_line_and_sends_nothing_to_the_terminal(
    formatter: logging.Formatter, text: str
) -> None:
    line = formatter.format(_record("job %s", text))
    assert line.isprintable()


def test_a_json_line_carries_level_time_request_and_extra_fields() -> None:
    token = logs.request_id.set("r123")
    try:
        line = json.loads(logs.JsonLines().format(_record("hello", level=logging.WARNING, milliseconds=1.5)))
    finally:
        logs.request_id.reset(token)
    assert (line["level"], line["message"], line["request_id"]) == ("warning", "hello", "r123")
    assert line["milliseconds"] == 1.5
    assert line["at"].endswith("+00:00")


def test_the_file_holds_one_json_object_a_line_with_the_traceback_inside(tmp_path: Path) -> None:
    before, level = list(logging.getLogger().handlers), logging.getLogger().level
    logging.getLogger().handlers = []
    try:
        logs.start(tmp_path, "info", terminal=False)
        try:
            raise ValueError(f"with {TOKEN}")
        except ValueError:
            logging.getLogger("here").exception("it broke")
        (line,) = (tmp_path / "server.log").read_text().splitlines()
        assert "ValueError" in json.loads(line)["exception"]
        assert TOKEN not in line
    finally:
        for handler in logging.getLogger().handlers:
            handler.close()
        logging.getLogger().handlers = before
        logging.getLogger().setLevel(level)
