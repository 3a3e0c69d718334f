"""railyard up"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import webbrowser
from pathlib import Path

import click

from railyard.cli import home, lazy
from railyard.cli.app import App, pass_app
from railyard.cli.groups import command
from railyard.cli.stop import going, stop_warm

READY_SECONDS = 60.0
STOP_SECONDS = 30.0


@command(
    "up",
    json=False,
    examples=[
        "railyard up",
        "railyard up --detach --open",
        "railyard up --database-url 'postgresql://railyard:${DB_PASSWORD}@db/railyard'",
    ],
    short_help="Start everything on this computer.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), help="The port; the next free one if it is taken.  [default: 8787]"
)
@click.option("--host", help="The address to listen on.  [default: 127.0.0.1]")
@click.option(
    "--data-dir", type=click.Path(file_okay=False, path_type=Path), help="The home folder.  [default: ~/.railyard]"
)
@click.option("--database-url", metavar="URL", help="A Postgres of your own, instead of the embedded one.")
@click.option("--open", "open_browser", is_flag=True, help="Open it in a browser, signed in.")
@click.option("--detach", is_flag=True, help="Return when it is ready; railyard down stops it.")
@pass_app
def up(
    app: App,
    port: int | None,
    host: str | None,
    data_dir: Path | None,
    database_url: str | None,
    open_browser: bool,
    detach: bool,
) -> int:
    """Start everything on this computer: an embedded Postgres, the server, and the local executor.

    Stays in the foreground until Ctrl-C; running jobs go on and are found again at the next start.
    """
    folder = home.folder(data_dir)
    running = home.server(folder)
    if running is None:
        missing = home.missing_modules()
        if missing:
            raise lazy.errors.missing_extra(missing[0], "all")
        return _start(
            app, folder, _environment(folder, port, host, database_url), open_browser=open_browser, detach=detach
        )
    _keep_context(folder, running.url)
    _ready(app, folder, running, "runs already")
    if open_browser:
        _open(app, folder, running.url)
    return 0


def _environment(folder: Path, port: int | None, host: str | None, database_url: str | None) -> dict[str, str]:
    """Settings travel by variable: a database's password has no business in a process list."""
    given = {
        "RAILYARD_HOME": folder,
        "RAILYARD_PORT": port,
        "RAILYARD_HOST": host,
        "RAILYARD_DATABASE_URL": database_url,
    }
    return {**os.environ, **{name: str(value) for name, value in given.items() if value is not None}}


def _start(app: App, folder: Path, environment: dict[str, str], *, open_browser: bool, detach: bool) -> int:
    log = folder / "logs" / "up.log"
    for place in (folder, log.parent):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    began = time.monotonic()
    with log.open("wb") as words:
        child = subprocess.Popen(
            [sys.executable, "-m", "railyard.control.server"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            start_new_session=True,
        )
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        running = _await_ready(folder, child, log)
        _keep_context(folder, running.url)
        _ready(app, folder, running, f"ready in {time.monotonic() - began:.1f} s")
        if open_browser:
            _open(app, folder, running.url)
        if detach:
            return 0
        app.out.talk("Ctrl-C stops it")
        code = child.wait()
    except KeyboardInterrupt:
        app.out.talk("\nstopping …")
        _stop(app, folder, child)
        return 0
    if code not in (0, -15):
        raise _failed(log, code)
    return 0


def _stop(app: App, folder: Path, child: subprocess.Popen[bytes]) -> None:
    running = home.server(folder)
    still = going(app, folder, running.url) if running else []
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
    if still:
        app.out.talk(f"stopped · {', '.join(still[:5])} go on; railyard up finds them again")
    else:
        stop_warm(folder)
        app.out.talk("stopped")


def _await_ready(folder: Path, child: subprocess.Popen[bytes], log: Path) -> home.Running:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        code = child.poll()
        if code is not None:
            raise _failed(log, code)
        running = home.server(folder)
        if running is not None and running.pid == child.pid and home.token(folder):
            return running
        time.sleep(0.05)
    child.terminate()
    raise lazy.errors.Timeout(
        f"the server is not ready after {READY_SECONDS:g} s", why=_last_words(log), mend=f"see {folder}/logs/server.log"
    )


def _failed(log: Path, code: int) -> Exception:
    said = dict(re.findall(r"^(error|why|mend): +(.*)$", _last_words(log), re.MULTILINE))
    if "error" in said:  # The server knew what was wrong; its own words are the best there are.
        return lazy.errors.ConfigurationError(said["error"], why=said.get("why", ""), mend=said.get("mend", ""))
    return lazy.errors.ServerError(
        "the server did not start" if code > 0 else f"the server was ended by signal {-code}",
        code="server_ended",
        why=_last_words(log) or f"exit code {code}",
        mend=f"railyard doctor; its log: {log.parent}/server.log",
    )


def _last_words(log: Path) -> str:
    lines = [line.rstrip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return "\n".join(lines[-6:])


def _keep_context(folder: Path, url: str) -> None:
    context = lazy.context
    path = context.path_of()
    kept = context.read(path).with_context(context.LOCAL, context.Context(url, home.token(folder)))
    context.write(path, kept)


def _ready(app: App, folder: Path, running: home.Running, how: str) -> None:
    out = app.out
    if out.quiet:
        out.line(running.url)
        return
    out.line(f"{out.ink('✓', 'ok')} Railyard {how} at {out.ink(running.url, 'strong')}")
    for name, text in (
        ("home", str(folder)),
        ("signed in", f"context {lazy.context.LOCAL} in {lazy.context.path_of()}"),
        ("next", "railyard init demo && cd demo && railyard train request.json5 --follow"),
        ("stop", "railyard down"),
    ):
        out.talk(f"  {out.ink(f'{name:<9}', 'faint')} {text}")


def _open(app: App, folder: Path, url: str) -> None:
    link = lazy.client.Client(url, home.token(folder)).server.login_link().url
    if not webbrowser.open(link):
        app.out.talk(f"no browser could be opened; open this once: {link}")
