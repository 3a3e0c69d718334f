"""stdout is data, stderr is talk. Tables on a terminal, tab-separated lines in a pipe, JSON when asked."""

from __future__ import annotations

import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import click

from railyard.cli.groups import ALL_FIELDS

_INK = {"ok": "green", "bad": "red", "busy": "blue", "faint": "bright_black", "strong": None}


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    title: str
    right: bool = False
    wide: bool = False
    """May be shortened to fit the terminal."""


class Output:
    """Where and how a command speaks."""

    def __init__(
        self, environ: Mapping[str, str] | None = None, stdout: IO[str] | None = None, stderr: IO[str] | None = None
    ) -> None:
        environ = os.environ if environ is None else environ
        self._stdout, self._stderr = stdout, stderr
        forced_tty = bool(environ.get("RAILYARD_FORCE_TTY"))
        self.tty = forced_tty or (stdout or sys.stdout).isatty()
        self.err_tty = forced_tty or (stderr or sys.stderr).isatty()
        self.coloured = self._colours(environ, self.tty)
        self.err_coloured = self._colours(environ, self.err_tty)
        self.fields: str | None = None
        self.quiet = False

    @property
    def json(self) -> bool:
        """Whether --json was given."""
        return self.fields is not None

    def line(self, text: str = "") -> None:
        """Data."""
        click.echo(text, file=self._stdout, color=self.coloured)

    def talk(self, text: str = "") -> None:
        """Words for a person; none with -q or --json."""
        if not self.quiet and not self.json:
            click.echo(text, file=self._stderr or sys.stderr, color=self.err_coloured)

    def note(self, text: str) -> None:
        """A warning; stays with --json, because it is on stderr."""
        if not self.quiet:
            click.echo(text, file=self._stderr or sys.stderr, color=self.err_coloured)

    def side(self, text: str) -> None:
        """A line beside the data, such as a log line while following; not silenced."""
        click.echo(text, file=self._stderr or sys.stderr, color=self.err_coloured)

    def live(self, text: str) -> None:
        """Replaces the current line of stderr, which must be a terminal."""
        stream = self._stderr or sys.stderr
        stream.write("\r\x1b[K" + (text if self.err_coloured else click.unstyle(text)))
        stream.flush()

    def raw(self, data: bytes) -> None:
        """Bytes as they are."""
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def ink(self, text: str, tone: str) -> str:
        """Coloured text; `tone` is ok, bad, busy, faint or strong."""
        return click.style(text, fg=_INK[tone], bold=tone == "strong")

    def resource(self, value: Any) -> None:
        """One JSON document, or the fields of it that were asked for."""
        self.line(json.dumps(self.picked(value), ensure_ascii=False, indent=2 if self.tty else None))

    def row(self, value: Any) -> None:
        """One line of NDJSON."""
        self.line(json.dumps(self.picked(value), ensure_ascii=False))

    def picked(self, value: Any) -> Any:
        """The fields named with --json. Raises UsageError for one that is not there, naming those that are."""
        if self.fields in (None, ALL_FIELDS):
            return value
        if isinstance(value, list):
            return [self.picked(item) for item in value]
        wanted = str(self.fields).split(",")
        known = list(value)
        missing = [name for name in wanted if name not in value]
        if missing:
            raise click.UsageError(f"there is no field {missing[0]}; the fields are {', '.join(known)}")
        return {name: value[name] for name in wanted}

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[str]], *, footer: str = "") -> None:
        """Aligned on a terminal; in a pipe tab-separated, whole, without a header."""
        cells = [[" ".join(cell.split()) if not self.tty else cell for cell in row] for row in rows]
        if not self.tty:
            for row in cells:
                self.line("\t".join(click.unstyle(cell) for cell in row))
        elif cells:
            for text in aligned(columns, cells, shutil.get_terminal_size().columns):
                self.line(text)
        if footer:
            self.talk(self.ink(footer, "faint"))

    def problem(
        self,
        code: str,
        message: str,
        *,
        why: str | Sequence[str] = "",
        mend: str = "",
        docs: str = "",
        request_id: str = "",
        fields: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Four lines at most, or one JSON line."""
        reasons = [why] if isinstance(why, str) else list(why)
        if self.json:
            body = {
                "code": code,
                "message": message,
                "why": "; ".join(filter(None, reasons)),
                "mend": mend,
                "docs": docs,
                "request_id": request_id,
                "fields": list(fields),
            }
            click.echo(json.dumps({"error": body}, ensure_ascii=False), file=self._stderr or sys.stderr)
            return
        more = "   ".join(part for part in (docs, f"request {request_id}" if request_id else "") if part)
        lines = [("error:", message, "bad"), *(("why:", text, "faint") for text in reasons)]
        lines += [("mend:", mend, "ok"), ("more:", more, "faint")]
        for head, text, tone in lines:
            if text:
                body_text = text.replace("\n", "\n       ")
                click.echo(
                    f"{self.ink(f'{head:<6}', tone)} {body_text}",
                    file=self._stderr or sys.stderr,
                    color=self.err_coloured,
                )

    @staticmethod
    def _colours(environ: Mapping[str, str], tty: bool) -> bool:
        if environ.get("NO_COLOR"):
            return False
        if environ.get("CLICOLOR_FORCE", "0") != "0":
            return True
        return tty and environ.get("CLICOLOR") != "0" and environ.get("TERM") != "dumb"


def aligned(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """The lines of a table: titles, then rows, two spaces between columns; wide columns shrink to fit `width`."""
    table = [[column.title for column in columns], *rows]
    widths = [max(display_width(row[index]) for row in table) for index in range(len(columns))]
    excess = sum(widths) + 2 * (len(columns) - 1) - width
    for index in sorted((i for i, column in enumerate(columns) if column.wide), key=lambda i: -widths[i]):
        if excess > 0:
            cut = min(excess, max(0, widths[index] - 12))
            widths[index] -= cut
            excess -= cut
    lines = []
    for row in table:
        cells = []
        for column, cell, size in zip(columns, row, widths, strict=True):
            text = shortened(cell, size)
            blank = " " * (size - display_width(text))
            cells.append(blank + text if column.right else text + blank)
        lines.append("  ".join(cells).rstrip())
    return lines


def shortened(text: str, width: int) -> str:
    """The text, cut with `…` where it is wider; colours are dropped from what is cut."""
    if display_width(text) <= width:
        return text
    plain, kept, used = click.unstyle(text), "", 0
    for character in plain:
        used += display_width(character)
        if used > width - 1:
            break
        kept += character
    return kept + "…"


def display_width(text: str) -> int:
    """Columns of a terminal that the text takes."""
    plain = click.unstyle(text)
    if plain.isascii():
        return len(plain)
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in plain
    )
