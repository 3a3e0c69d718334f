"""One command line against a server in memory."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from fake_server import FakeServer

from railyard.cli.app import App
from railyard.cli.main import run
from railyard.cli.output import Output


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass
class Ran:
    """What a command line left behind."""

    code: int
    out: str
    err: str
    server: FakeServer = field(repr=False)


Run = Callable[..., Ran]


@pytest.fixture
def railyard(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> Run:
    """Runs `railyard …`; `routes` are what its server answers, `tty` makes its outputs terminals."""
    for name in ("RAILYARD_URL", "RAILYARD_TOKEN", "RAILYARD_FORCE_TTY", "NO_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
    monkeypatch.setenv("RAILYARD_HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("COLUMNS", "140")

    def go(
        *args: str, routes: dict[str, Any] | None = None, tty: bool = False, environ: dict[str, str] | None = None
    ) -> Ran:
        server = FakeServer(routes)
        out, err = (Terminal(), Terminal()) if tty else (io.StringIO(), io.StringIO())
        app = App(Output({"NO_COLOR": "1"} if environ is None else environ, out, err))
        if routes is not None:
            app.__dict__["client"] = server.client()
        capfd.readouterr()
        code = run(list(args), app)
        printed = capfd.readouterr()
        return Ran(code, out.getvalue() + printed.out, err.getvalue() + printed.err, server)

    return go
